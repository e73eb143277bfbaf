// Where calls wait and run: how full each lane is, how that went, who takes it, and what had to be replaced.
import type { Schemas } from "../../api/client";
import { useSession } from "../../api/session";
import type { Pulse } from "../../live/message";
import { useLive } from "../../live/store";
import { count, duration, exactly, percent, plural } from "../../parts/format";
import { LaneTable } from "../../parts/lanes";
import { Panel, Stat, Wide } from "../../parts/panel";
import { Pulsed } from "../../parts/pulsed";
import { Empty } from "../../parts/states";
import { Condition } from "../../parts/tags";
import { Course } from "./course";
import { byWorkspace } from "./takers";

type Engine = Schemas["EngineState"];
type Restart = Schemas["RestartCount"];

export default function Lanes() {
  return (
    <div className="screen">
      <h1 className="hidden">Lanes</h1>
      <Pulsed>{(pulse) => (pulse.engine ? <Whole engine={pulse.engine} pulse={pulse} /> : <Empty title="Nothing is told of the engine">Operators alone see its lanes.</Empty>)}</Pulsed>
    </div>
  );
}

function Whole({ engine, pulse }: { engine: Engine; pulse: Pulse }) {
  const { app, operations } = engine;
  const ofApp = app?.restarts.map((restart) => ({ ...restart, child: `${app.name}: ${restart.child}` })) ?? [];
  const sum = (of: "in_flight" | "in_flight_limit" | "depth" | "limit") => engine.lanes.reduce((sum, lane) => sum + lane[of], 0);
  return (
    <>
      <Panel title="Calls now" aside={engine.draining ? <Condition tone="warn">stopping: nothing more is taken in</Condition> : "all workspaces"}>
        <dl className="row">
          <Stat label="In progress" value={count(operations.active)} note={`of ${count(operations.limit)} admitted at once`} />
          <Stat label="Running" value={count(sum("in_flight"))} note={`of ${count(sum("in_flight_limit"))} slots`} />
          <Stat label="Waiting" value={count(sum("depth"))} note={`of ${count(sum("limit"))} that may`} />
          <Stat label="In the air" value={count(engine.flights)} note="answers that calls may join" />
          <Stat label="Answers waiting" value={count(engine.orphans.held)} note="for callers who left, should they come back" />
          <Stat label="A call takes" value={duration(operations.mean_ms)} note={`mean of ${plural(operations.completed + operations.failed, "call")}`} />
        </dl>
      </Panel>
      <Panel title="Lanes" aside="refused: each second, and since the server started">
        <Wide label="Each lane">
          <LaneTable lanes={engine.lanes} refused={pulse.rates?.refused ?? []} whole />
        </Wide>
      </Panel>
      <div className="halves">
        <Course what="running" title="Running" />
        <Course what="waiting" title="Waiting" />
      </div>
      {app && (
        <Panel title={`Lanes of the app ${app.name}`} aside={`${count(app.runs_waiting.held)} of ${count(app.runs_waiting.limit)} runs wait for its state`}>
          <Wide label="Each lane of the app">
            <LaneTable lanes={app.lanes} refused={null} whole />
          </Wide>
        </Panel>
      )}
      <div className="halves">
        <Takers />
        <Restarts restarts={[...engine.restarts, ...ofApp]} />
      </div>
    </>
  );
}

function Takers() {
  const { calls } = useLive();
  const { workspaces } = useSession();
  const takers = byWorkspace(calls);
  return (
    <Panel title="Who takes them" aside={`the latest ${plural(calls.length, "call")} seen here`}>
      {takers.length === 0 ? (
        <Empty title="No call yet">Workspaces stand here by their calls, as they come.</Empty>
      ) : (
        <Wide label="Calls by workspace">
          <table className="lines">
            <thead>
              <tr>
                <th scope="col">Workspace</th>
                <th scope="col" className="number">Calls</th>
                <th scope="col" className="number">Share</th>
                <th scope="col" className="number">Mean wait</th>
                <th scope="col" className="number">Longest</th>
              </tr>
            </thead>
            <tbody>
              {takers.map((taker) => (
                <tr key={taker.workspace}>
                  <th scope="row">
                    <bdi>{workspaces.find(({ id }) => id === taker.workspace)?.name ?? taker.workspace}</bdi>
                  </th>
                  <td className="number">{exactly(taker.calls)}</td>
                  <td className="number">{percent(taker.calls, calls.length)}</td>
                  <td className="number">{duration(taker.waited / taker.calls)}</td>
                  <td className="number">{duration(taker.longest)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </Panel>
  );
}

const CAUSES: Record<string, string> = {
  panic: "it panicked",
  stopped: "it ended by itself",
  stalled: "it had work and did none",
};

function Restarts({ restarts }: { restarts: Restart[] }) {
  const happened = restarts.filter(({ count }) => count > 0);
  return (
    <Panel title="Restarts" aside="since the server started">
      {happened.length === 0 ? (
        <p className="calm">
          <Condition tone="good">none</Condition> {"\u2013"} no part had to be replaced
        </p>
      ) : (
        <Wide label="Restarts by part">
          <table className="lines">
            <thead>
              <tr>
                <th scope="col">Part</th>
                <th scope="col">Cause</th>
                <th scope="col" className="number">Times</th>
              </tr>
            </thead>
            <tbody>
              {happened.map(({ child, cause, count }) => (
                <tr key={`${child} ${cause}`}>
                  <th scope="row">{child}</th>
                  <td>
                    {cause} <span className="quiet">{CAUSES[cause] ?? ""}</span>
                  </td>
                  <td className="number">{exactly(count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </Panel>
  );
}

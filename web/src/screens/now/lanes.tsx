// How full the lanes are, and what they refuse.
import type { Schemas } from "../../api/client";
import { count, duration, rate } from "../../parts/format";
import { Meter, Panel } from "../../parts/panel";
import { Condition } from "../../parts/tags";

type Engine = Schemas["EngineState"];
type Rates = Schemas["Rates"];

export function Lanes({ engine, rates }: { engine: Engine; rates: Rates | null }) {
  const restarts = engine.restarts.reduce((sum, { count }) => sum + count, 0);
  const refused = (name: string) => rates?.refused.find(({ lane }) => lane === name);
  return (
    <Panel title="Lanes" className="lanes" aside={restarts === 0 ? "no restarts" : `${restarts} restarts: ${engine.restarts.map(({ child, cause, count }) => `${child} ${cause} ${count}`).join(", ")}`}>
      <table className="lines">
        <thead>
          <tr>
            <th scope="col">Lane</th>
            <th scope="col">Running</th>
            <th scope="col">Waiting</th>
            <th scope="col" className="number">Oldest</th>
            <th scope="col" className="number">Refused /s</th>
          </tr>
        </thead>
        <tbody>
          {engine.lanes.map((lane) => {
            const now = refused(lane.name);
            return (
              <tr key={lane.name}>
                <th scope="row">
                  {lane.name} {lane.closed && <Condition tone="bad">closed</Condition>}
                </th>
                <td>
                  <span className="filled">
                    <Meter value={lane.in_flight} of={lane.in_flight_limit} label={`${lane.in_flight} of ${lane.in_flight_limit} run`} />
                    {count(lane.in_flight)} <span className="quiet">of {count(lane.in_flight_limit)}</span>
                  </span>
                </td>
                <td>
                  <span className="filled">
                    <Meter value={lane.depth} of={lane.limit} label={`${lane.depth} of ${lane.limit} wait`} />
                    {count(lane.depth)} <span className="quiet">of {count(lane.limit)}</span>
                  </span>
                </td>
                <td className="number">{lane.depth === 0 ? "\u2013" : duration(lane.oldest_wait_ms)}</td>
                <td className="number">
                  {rate((now?.full ?? 0) + (now?.closed ?? 0))}
                  <span className="quiet"> {now === undefined || now.full + now.closed === 0 ? "" : now.full > 0 ? "full" : "closed"}</span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className="foot">
        {count(engine.flights)} answers in the air {"\u00b7"} {count(engine.rows.held)} embedding items wait for {engine.batchers.length} batchers {"\u00b7"}{" "}
        {count(engine.cache.entries)} answers kept
      </p>
    </Panel>
  );
}

// Embeddings that travel together: what that saved, who collects, and what went.
import type { Schemas } from "../../api/client";
import { type Sent, MOST_SENT, useRequests } from "../../api/requests";
import { useSession } from "../../api/session";
import type { Pulse } from "../../live/message";
import { NONE, count, duration, exactly, percent, plural, rate, span, words } from "../../parts/format";
import { Meter, Panel, Stat, Wide } from "../../parts/panel";
import { Pulsed } from "../../parts/pulsed";
import { Empty, Problem, Waiting } from "../../parts/states";
import { Condition, type Tone } from "../../parts/tags";
import { When, Zone } from "../../parts/when";

type Engine = Schemas["EngineState"];
type Batcher = Schemas["BatcherState"];

export default function Batches() {
  return (
    <div className="screen">
      <h1 className="hidden">Batches</h1>
      <Pulsed>{(pulse) => (pulse.engine ? <Whole engine={pulse.engine} pulse={pulse} /> : <Empty title="Nothing is told of the engine">Operators alone see its batchers.</Empty>)}</Pulsed>
    </div>
  );
}

function Whole({ engine, pulse }: { engine: Engine; pulse: Pulse }) {
  return (
    <>
      <Items engine={engine} pulse={pulse} />
      <Batchers batchers={engine.batchers} />
      <Latest />
    </>
  );
}

/** What became of each item that was asked for. */
function Items({ engine, pulse }: { engine: Engine; pulse: Pulse }) {
  const { hit, joined, miss } = engine.cache.embed_items;
  const all = hit + joined + miss;
  const together = pulse.recent.saved.find(({ by }) => by === "batched")?.calls ?? 0;
  const inAir = engine.batchers.reduce((sum, batcher) => sum + batcher.in_air, 0);
  return (
    <Panel title="Embedding items" aside="all workspaces, since the server started">
      <dl className="row">
        <Stat label="Asked for" value={count(all)} note="items, each text or list of tokens" />
        <Stat label="Sent" value={count(miss)} note={`${percent(miss, all)} of them, in batches`} />
        <Stat label="From memory" value={count(hit)} note="embedded before" />
        <Stat label="Duplicates joined" value={count(joined)} note="the same was on its way already" />
        <Stat label="Waiting" value={count(engine.rows.held)} note={`of ${count(engine.rows.limit)} that may, ${count(inAir)} in the air`} />
        <Stat label="Calls batched" value={count(together)} note={`had items in a batch, last ${span(pulse.recent.seconds)}`} />
      </dl>
    </Panel>
  );
}

function conditionOf(batcher: Batcher): [Tone, string] {
  if (batcher.closed) return ["bad", "closed: callers are refused"];
  if (batcher.waiting >= batcher.limit) return ["bad", "full"];
  if (batcher.batches > 0) return ["good", "sending"];
  return batcher.waiting > 0 ? ["good", "collecting"] : ["none", "idle"];
}

function Batchers({ batchers }: { batchers: Batcher[] }) {
  return (
    <Panel title="Batchers" aside="one collects for each model and kind of input">
      {batchers.length === 0 ? (
        <Empty title="No batcher now">One begins with the first embedding that memory does not have, and ends when it has had no work for a while.</Empty>
      ) : (
        <Wide label="Each batcher">
          <table className="lines">
            <thead>
              <tr>
                <th scope="col">Collects for</th>
                <th scope="col">State</th>
                <th scope="col">Waiting</th>
                <th scope="col" className="number">Oldest</th>
                <th scope="col" className="number">Batches on their way</th>
                <th scope="col" className="number">Items in the air</th>
                <th scope="col" className="number">Items a batch</th>
              </tr>
            </thead>
            <tbody>
              {batchers.map((batcher) => {
                const [tone, state] = conditionOf(batcher);
                return (
                  <tr key={`${batcher.target} ${batcher.input}`}>
                    <th scope="row">
                      <bdi>{batcher.target}</bdi> <span className="quiet">{words(batcher.input)}</span>
                    </th>
                    <td>
                      <Condition tone={tone}>{state}</Condition>
                    </td>
                    <td>
                      <span className="filled">
                        <Meter value={batcher.waiting} of={batcher.limit} label={`${batcher.waiting} of ${batcher.limit} wait`} />
                        {count(batcher.waiting)} <span className="quiet">of {count(batcher.limit)}</span>
                      </span>
                    </td>
                    <td className="number">{batcher.waiting === 0 ? NONE : duration(batcher.oldest_wait_ms)}</td>
                    <td className="number">{exactly(batcher.batches)}</td>
                    <td className="number">{exactly(batcher.in_air)}</td>
                    <td className="number">{batcher.batches === 0 ? NONE : rate(batcher.in_air / batcher.batches)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Wide>
      )}
    </Panel>
  );
}

const SHOWN = 12;

/** Batches that went: their fill, and how they came back. */
function Latest() {
  const { workspace } = useSession();
  const sent = useRequests();
  const batches = (sent.data ?? []).filter(({ kind }) => kind === "embed");
  const items = batches.reduce((sum, batch) => sum + batch.items, 0);
  const failed = batches.filter(({ status }) => status !== "ok").length;
  return (
    <Panel title="Batches that went" aside={`${workspace.name}, among its latest ${MOST_SENT} requests`}>
      {sent.isPending && <Waiting what="Reading the ledger" />}
      {sent.isError && <Problem error={sent.error} retry={() => void sent.refetch()} />}
      {sent.data && batches.length === 0 && <Empty title="No batch went">Send an embedding: the request that carries it stands here.</Empty>}
      {batches.length > 0 && (
        <>
          <dl className="row">
            <Stat label="Batches" value={count(batches.length)} note="requests with embedding items" />
            <Stat label="Items a batch" value={rate(items / batches.length)} note={`mean; the fullest had ${exactly(Math.max(...batches.map((batch) => batch.items)))}`} />
            <Stat label="Did not end well" value={count(failed)} note="a batch refused for one item is sent again in parts" />
          </dl>
          <Wide label="The latest batches">
            <table className="lines">
              <thead>
                <tr>
                  <th scope="col">
                    Time <Zone />
                  </th>
                  <th scope="col">To</th>
                  <th scope="col">Ended</th>
                  <th scope="col" className="number">Attempt</th>
                  <th scope="col" className="number">Items</th>
                  <th scope="col" className="number">Took</th>
                </tr>
              </thead>
              <tbody>{batches.slice(0, SHOWN).map((batch) => <Batch key={batch.id} batch={batch} />)}</tbody>
            </table>
          </Wide>
          {batches.length > SHOWN && <p className="foot">The latest {SHOWN} of {plural(batches.length, "batch", "batches")}</p>}
        </>
      )}
    </Panel>
  );
}

function Batch({ batch }: { batch: Sent }) {
  return (
    <tr>
      <th scope="row">
        <When at={batch.at} ms />
      </th>
      <td>
        <bdi>{batch.target}</bdi>
      </td>
      <td>
        <Condition tone={batch.status === "ok" ? "good" : "bad"}>{words(batch.status)}</Condition>
      </td>
      <td className="number">{exactly(batch.attempt)}</td>
      <td className="number">{exactly(batch.items)}</td>
      <td className="number">{batch.total_ms === null || batch.total_ms === undefined ? NONE : duration(batch.total_ms)}</td>
    </tr>
  );
}

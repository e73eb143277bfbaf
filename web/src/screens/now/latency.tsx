// Where the time goes: each stage of the path, the provider's apart from ours.
import type { Schemas } from "../../api/client";
import { duration, span } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Empty } from "../../parts/states";

type Recent = Schemas["Sight"];
type Quantiles = Schemas["Quantiles"];

const WHAT: Record<string, string> = {
  admit: "limits, deadline",
  authorise: "policy",
  key: "canonical bytes",
  lookup: "memory",
  join: "others' flights",
  group: "batcher",
  lane: "waiting for a slot",
  act: "provider, until it begins",
  inspect: "checks",
  keep: "remembering",
  tell: "handing over",
};

/** Of decades from a microsecond to a minute: bars of things a thousand times apart can be read side by side. */
function width(ms: number): number {
  const decades = Math.log10(Math.max(ms, 0.001) / 0.001) / Math.log10(60_000 / 0.001);
  return Math.min(100, Math.max(1, decades * 100));
}

function Row({ name, what, took, kind }: { name: string; what: string; took: Quantiles; kind: string }) {
  return (
    <tr className={kind}>
      <th scope="row">
        {name} <span className="quiet">{what}</span>
      </th>
      <td className="bar" aria-hidden="true">
        <span className="reach" style={{ inlineSize: `${width(took.p99_ms)}%` }} />
        <span className="middle" style={{ inlineSize: `${width(took.p50_ms)}%` }} />
      </td>
      <td className="number">{duration(took.p50_ms)}</td>
      <td className="number">{duration(took.p99_ms)}</td>
      <td className="number">{duration(took.p999_ms)}</td>
    </tr>
  );
}

export function Latency({ recent }: { recent: Recent }) {
  const { stages, total, first_token: firstToken } = recent;
  return (
    <Panel title="Latency by stage" className="latency" aside={`last ${span(recent.seconds)}, bars on a log scale`}>
      {stages.length === 0 ? (
        <Empty title="No calls yet">The time of each stage stands here as soon as calls come.</Empty>
      ) : (
        <table className="lines stages">
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <td className="bar" />
              <th scope="col" className="number">p50</th>
              <th scope="col" className="number">p99</th>
              <th scope="col" className="number">p99.9</th>
            </tr>
          </thead>
          <tbody>
            {stages.map(({ stage, took }) => (
              <Row key={stage} name={stage} what={WHAT[stage] ?? ""} took={took} kind={stage === "act" ? "theirs" : "ours"} />
            ))}
            {firstToken && <Row name="first token" what="streamed, from a provider" took={firstToken} kind="sum" />}
            {total && <Row name="whole call" what="" took={total} kind="sum" />}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

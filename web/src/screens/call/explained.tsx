// Why it was no hit: the nearest other call, and every field that differs.
import { Link } from "wouter";

import type { Schemas } from "../../api/client";
import type { CallRow } from "../../live/message";
import { words } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { keepWorkspace } from "../../shell/keys";

const REASONS: Record<string, string> = {
  "": "It was a hit.",
  not_declared: "The call did not say that its answer may be used again: temperature 0 or a seed says so.",
  absent: "Nobody had asked this before, or the answer is no longer kept.",
  expired: "An answer was kept, but its time was over.",
  too_old: "An answer was kept, but it was older than the caller wanted.",
  mismatch: "What was kept under its key was of another request.",
  locked: "The memory was being changed at that moment.",
  offline: "The memory of answers was not there at that moment.",
  not_read: "The caller wanted a new answer.",
  warm: "It was read from what outlives the process.",
  forward: "Paths without a door of their own are passed through and never kept.",
};

interface Props {
  row: CallRow;
  explained: Schemas["CallShown"] | null;
  error: unknown;
}

export function Explained({ row, explained, error }: Props) {
  const nearest = explained?.nearest;
  return (
    <Panel title="Why this outcome" className="explained" aside={row.key ? <code title={row.key}>{row.key.slice(0, 12)}{"\u2026"}</code> : ""}>
      <p className="why">{row.reason === "" && row.outcome !== "hit" ? `It was ${row.outcome}.` : (REASONS[row.reason] ?? `Not a hit: ${words(row.reason)}.`)}</p>
      {row.payer && (
        <p>
          Paid by <Link href={`/calls/${row.payer}${keepWorkspace()}`}>the call that asked first</Link>.
        </p>
      )}
      {error !== null && <p className="quiet">The way of this call is not remembered any more.</p>}
      {nearest ? (
        <>
          <p>
            Nearest other request: <Link href={`/calls/${nearest.id}${keepWorkspace()}`}>{nearest.id.slice(0, 18)}{"\u2026"}</Link>{" "}
            {nearest.note !== "" && <span className="quiet">({nearest.note})</span>}
          </p>
          {nearest.differs.length > 0 && <Differences nearest={nearest} />}
        </>
      ) : (
        explained !== null && row.outcome === "miss" && <p className="quiet">No other request of late is like it.</p>
      )}
      {explained !== null && explained.fields.length > 0 && (
        <details>
          <summary>{explained.fields.length} fields decide what is equal</summary>
          <p className="fields">
            {explained.fields.map((field) => (
              <code key={field}>{field}</code>
            ))}
          </p>
        </details>
      )}
    </Panel>
  );
}

function Differences({ nearest }: { nearest: Schemas["Nearest"] }) {
  const value = (path: string) => nearest.values.find((one) => one.path === path);
  const shown = nearest.values.length > 0;
  return (
    <table className="lines differences">
      <thead>
        <tr>
          <th scope="col">Field that differs</th>
          {shown && <th scope="col">This call</th>}
          {shown && <th scope="col">The other</th>}
        </tr>
      </thead>
      <tbody>
        {nearest.differs.map((path) => (
          <tr key={path}>
            <th scope="row">
              <code>{path}</code>
            </th>
            {shown && <td className="own"><Value text={value(path)?.own} /></td>}
            {shown && <td className="other"><Value text={value(path)?.other} /></td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value({ text }: { text: string | null | undefined }) {
  return text === null || text === undefined ? <span className="quiet">not there</span> : <bdi>{text}</bdi>;
}

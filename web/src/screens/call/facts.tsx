// What came of a call, in one line and a few figures.
import type { CallRow } from "../../live/message";
import { NONE, bytes, duration, exactly, money, words } from "../../parts/format";
import { Stat } from "../../parts/panel";
import { Blame, Outcome } from "../../parts/tags";
import { When } from "../../parts/when";
import { Copy } from "../../parts/copy";

export function Facts({ row, workspace }: { row: CallRow; workspace: string }) {
  const { usage } = row;
  const about = row.usage_estimated ? "estimated" : "as the provider counts";
  return (
    <header className="facts">
      <div className="title">
        <Outcome outcome={row.outcome} />
        <h1>
          <bdi>{row.model}</bdi>
        </h1>
        <span className="quiet">
          {row.target !== null && row.target !== undefined && (
            <>
              answered by <bdi>{row.target}</bdi>,{" "}
            </>
          )}
          {row.door} {"\u00b7"} {row.form} {"\u00b7"} <bdi>{workspace}</bdi>
        </span>
        <span className="grow" />
        <When at={row.at} full ms />
      </div>
      {row.error && (
        <p className="failure">
          <strong>{words(row.error.code)}</strong> at the stage {row.error.stage}: <Blame blame={row.error.blame} /> doing.
        </p>
      )}
      <p className="id">
        <code>{row.id}</code>
        <Copy text={row.id} what="id" />
        {row.tags.map((tag) => (
          <bdi key={tag} className="tag">
            {tag}
          </bdi>
        ))}
      </p>
      <dl className="row">
        <Stat label="Took" value={duration(row.total_ms)} note={`answer began after ${duration(row.first_ms)}`} />
        <Stat label="Tokens in" value={usage ? exactly(usage.input) : NONE} note={usage ? tokens(usage) : "not told"} />
        <Stat label="Tokens out" value={usage ? exactly(usage.output) : NONE} note={usage ? (usage.reasoning > 0 ? `${exactly(usage.reasoning)} reasoning` : about) : "not told"} />
        <Stat label="Cost" value={money(row.cost)} note={row.cost === null || row.cost === undefined ? "no price known" : `$${row.cost}`} />
        <Stat label="Saved" value={Number(row.saved ?? 0) > 0 ? money(row.saved) : NONE} note={Number(row.saved ?? 0) > 0 ? "somebody else had paid" : "it paid for itself"} />
        <Stat label="Size" value={row.bytes === 0 ? NONE : bytes(row.bytes)} note={`asked with ${bytes(row.request_bytes)}`} />
        <Stat label="Requests" value={exactly(row.attempts)} note="sent to providers" />
      </dl>
    </header>
  );
}

function tokens(usage: NonNullable<CallRow["usage"]>): string {
  const cached = usage.cached_read + usage.cached_write;
  return cached > 0 ? `${exactly(usage.cached_read)} read, ${exactly(usage.cached_write)} written in its cache` : "none from its cache";
}

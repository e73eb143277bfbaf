// Rows of calls, of which only those in sight exist. Owns the keys that walk through them.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { Link } from "wouter";

import type { CallRow } from "../../live/message";
import { NONE, bytes, count, duration, money, words } from "../../parts/format";
import { Outcome } from "../../parts/tags";
import { When, Zone, day, useUtc } from "../../parts/when";
import { keepWorkspace } from "../../shell/keys";

const ROW = 32;
const AHEAD = 20;

interface Props {
  rows: CallRow[];
  more: boolean;
  load: () => void;
}

const COLUMNS = ["Outcome", "Model", "Answered by", "Key", "First", "Took", "Tokens", "Size", "Cost", "Saved"] as const;

export function List({ rows, more, load }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 12 });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= rows.length - AHEAD) load();
  }, [more, last, rows.length, load]);
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const here = Number((document.activeElement as HTMLElement | null)?.dataset["index"] ?? -1);
    const next = Math.max(0, Math.min(rows.length - 1, here + step));
    virtual.scrollToIndex(next);
    const focus = () => box.current?.querySelector<HTMLElement>(`a[data-index="${next}"]`)?.focus();
    focus();
    requestAnimationFrame(focus); // where the row was not there yet
  };
  return (
    <div className="list" ref={box} onKeyDown={walk} role="table" aria-label="Calls, the latest first" aria-rowcount={more ? -1 : rows.length + 1} tabIndex={0}>
      <div role="rowgroup" className="headings">
        <div role="row" className="line">
          <span role="columnheader">
            Time <Zone />
          </span>
          {COLUMNS.map((name) => (
            <span key={name} role="columnheader" className={NUMBERS.has(name) ? "number" : ""}>
              {name}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" className="rows" style={{ blockSize: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          return row === undefined ? null : <Row key={row.id} row={row} index={item.index} at={item.start} />;
        })}
      </div>
    </div>
  );
}

const NUMBERS = new Set<string>(["First", "Took", "Tokens", "Size", "Cost", "Saved"]);

function Row({ row, index, at }: { row: CallRow; index: number; at: number }) {
  const utc = useUtc();
  const tokens = row.usage ? `${count(row.usage.input)} \u2192 ${count(row.usage.output)}` : NONE;
  const whose = row.error ? `${words(row.error.code)} at ${row.error.stage}` : (row.target ?? NONE);
  return (
    <div role="row" aria-rowindex={index + 2} className="line" style={{ transform: `translateY(${at}px)` }}>
      <span role="cell">
        <Link href={`/calls/${row.id}${keepWorkspace()}`} data-index={index} className="cover">
          <span className="quiet day">{day(new Date(row.at), utc).slice(5)}</span> <When at={row.at} ms />
        </Link>
      </span>
      <span role="cell">
        <Outcome outcome={row.outcome} />
        {row.reason !== "" && row.outcome === "bypass" && <span className="quiet"> {words(row.reason)}</span>}
      </span>
      <span role="cell">
        <bdi>{row.model}</bdi>
      </span>
      <span role="cell" className={row.error ? "bad" : "quiet"}>
        <bdi>{whose}</bdi>
      </span>
      <span role="cell" className="quiet">
        <bdi>{row.credential_id?.slice(0, 12) ?? row.credential ?? NONE}</bdi>
      </span>
      <span role="cell" className="number">
        {duration(row.first_ms)}
      </span>
      <span role="cell" className="number">
        {duration(row.total_ms)}
      </span>
      <span role="cell" className="number">
        {tokens}
      </span>
      <span role="cell" className="number quiet">
        {row.bytes === 0 ? NONE : bytes(row.bytes)}
      </span>
      <span role="cell" className="number">
        {money(row.cost)}
      </span>
      <span role="cell" className="number good">
        {Number(row.saved ?? 0) > 0 ? money(row.saved) : NONE}
      </span>
    </div>
  );
}

// Who used what: calls, tokens and money by model, key or day, and the way out of here as a file.
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "wouter";

import { answer, api } from "../../api/client";
import { type Session, scope, useSession } from "../../api/session";
import { count, exactly, money, percent } from "../../parts/format";
import { Panel, Stat, Wide } from "../../parts/panel";
import { Empty, Problem, Waiting } from "../../parts/states";
import { type By, type Line, csv, lines, totals } from "./group";

const DAYS: Record<string, [string, number]> = { "1": ["Last 24 hours", 1], "7": ["Last 7 days", 7], "30": ["Last 30 days", 30], "90": ["Last 90 days", 90] };
const BY: Record<By, string> = { model: "Model", key: "Key", day: "Day (UTC)" };

export default function Usage() {
  const session = useSession();
  const [params, setParams] = useSearchParams();
  const days = DAYS[params.get("days") ?? ""]?.[1] ?? 7;
  const by = (params.get("by") ?? "model") in BY ? ((params.get("by") ?? "model") as By) : "model";
  const used = useQuery({
    queryKey: ["usage", session.workspace.id, days],
    queryFn: ({ signal }) => {
      const since = new Date(Date.now() - days * 86_400_000).toISOString();
      return answer(api.GET("/api/v1/usage", { params: { query: { by: "hour", since, ...scope(session) } }, signal }));
    },
  });
  const set = (name: string, value: string) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      next.set(name, value);
      return next;
    });
  const shown = lines(used.data?.usage ?? [], by);
  return (
    <div className="screen">
      <h1 className="hidden">Usage</h1>
      <Panel
        title="Usage"
        aside={
          <span className="inline">
            <select aria-label="Time" value={days} onChange={(event) => set("days", event.target.value)}>
              {Object.entries(DAYS).map(([name, [label]]) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </select>
            <select aria-label="Added up by" value={by} onChange={(event) => set("by", event.target.value)}>
              {Object.entries(BY).map(([name, label]) => (
                <option key={name} value={name}>
                  by {label.toLowerCase()}
                </option>
              ))}
            </select>
            <button type="button" className="button small" onClick={() => save(csv(shown, BY[by]), `usage-by-${by}.csv`)} disabled={shown.length === 0}>
              These sums as CSV
            </button>
            <a className="button small" href={every(session, days, "csv")} download>
              Every call as CSV
            </a>
            <a className="button small" href={every(session, days, "jsonl")} download>
              as JSONL
            </a>
          </span>
        }
      >
        {used.isPending && <Waiting what="Adding up" />}
        {used.isError && <Problem error={used.error} retry={() => void used.refetch()} />}
        {used.data && shown.length === 0 && <Empty title="Nothing was used in this time" />}
        {shown.length > 0 && <Sums shown={shown} by={by} />}
      </Panel>
    </div>
  );
}

function Sums({ shown, by }: { shown: Line[]; by: By }) {
  const all = totals(shown);
  return (
    <>
      <dl className="row">
        <Stat label="Calls" value={count(all.calls)} note={`${percent(all.failed, all.calls)} failed`} />
        <Stat label="Tokens in" value={count(all.tokens_in)} />
        <Stat label="Tokens out" value={count(all.tokens_out)} />
        <Stat label="Spent" value={money(String(all.cost))} />
        <Stat label="Saved" value={money(String(all.saved))} tone="good" note={`${percent(all.saved, all.saved + all.cost)} of what it would have cost`} />
      </dl>
      <Wide label={`Usage by ${by}`}>
        <table className="lines">
          <thead>
            <tr>
              <th scope="col">{BY[by]}</th>
              {["Calls", "Hits", "Joined", "Failed", "Tokens in", "Tokens out", "Spent", "Saved"].map((name) => (
                <th key={name} scope="col" className="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((line) => (
              <tr key={line.name}>
                <th scope="row"><bdi>{line.name}</bdi></th>
                <td className="number">{exactly(line.calls)}</td>
                <td className="number">{exactly(line.hits)}</td>
                <td className="number">{exactly(line.joined)}</td>
                <td className="number">{exactly(line.failed)}</td>
                <td className="number">{exactly(line.tokens_in)}</td>
                <td className="number">{exactly(line.tokens_out)}</td>
                <td className="number">{money(String(line.cost))}</td>
                <td className="number">{money(String(line.saved))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </>
  );
}

function every(session: Session, days: number, form: "csv" | "jsonl"): string {
  const since = new Date(Math.floor(Date.now() / 60_000) * 60_000 - days * 86_400_000).toISOString();
  return `/api/v1/calls/export.${form}?${new URLSearchParams({ since, ...scope(session) }).toString()}`;
}

function save(text: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

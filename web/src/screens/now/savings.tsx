// What was saved this hour, how, and what was spent beside it.
import { useQuery } from "@tanstack/react-query";

import { answer, api } from "../../api/client";
import { scope, useSession } from "../../api/session";
import type { Pulse } from "../../live/message";
import { count, duration, money, percent, plural, span } from "../../parts/format";
import { Panel, Stat } from "../../parts/panel";
import { Problem } from "../../parts/states";
import { When } from "../../parts/when";

const EVERY_MS = 10_000;

function thisHour(): string {
  return new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000).toISOString();
}

function useHour() {
  const session = useSession();
  const where = session.workspace.id;
  return useQuery({
    queryKey: ["hour", where],
    queryFn: async ({ signal }) => {
      const since = thisHour();
      const query = { by: "hour", since, ...scope(session) };
      const [used, stats] = await Promise.all([
        answer(api.GET("/api/v1/usage", { params: { query }, signal })),
        answer(api.GET("/api/v1/workspaces/{id}/cache/stats", { params: { path: { id: where }, query: { since } }, signal })),
      ]);
      return { since, usage: used.usage, stats };
    },
    refetchInterval: EVERY_MS,
  });
}

type Usage = NonNullable<ReturnType<typeof useHour>["data"]>["usage"][number];

function total(usage: Usage[], of: "calls" | "tokens_in" | "tokens_out"): number {
  return usage.reduce((sum, row) => sum + row[of], 0);
}

function sum(usage: Usage[], of: "cost" | "saved"): string {
  return String(usage.reduce((sum, row) => sum + Number(row[of]), 0));
}

const WAYS = { exact: "from memory", joined: "joined another call", batched: "travelled in a batch" } as const;

export function Savings({ pulse }: { pulse: Pulse }) {
  const session = useSession();
  const hour = useHour();
  const { saved, spent, seconds } = pulse.recent;
  return (
    <Panel title="Saved" className="savings" aside={hour.data ? <>{session.workspace.name}, this hour since <When at={hour.data.since} /></> : "this hour"}>
      {hour.isError && <Problem error={hour.error} retry={() => void hour.refetch()} />}
      {!hour.isError && (
        <dl className="row">
          <Stat label="Money saved" value={hour.data ? money(sum(hour.data.usage, "saved")) : "\u2013"} tone="good" note={hour.data ? `${money(sum(hour.data.usage, "cost"))} spent` : ""} />
          <Stat label="Time saved" value={hour.data ? duration(hour.data.stats.saved_ms) : "\u2013"} note="not waited for providers" />
          <Stat label="Hit rate" value={hour.data ? percent(hour.data.stats.hits, hour.data.stats.lookups) : "\u2013"} note={hour.data ? `of ${plural(hour.data.stats.lookups, "look-up")}` : ""} />
          <Stat label="Tokens" value={hour.data ? count(total(hour.data.usage, "tokens_in") + total(hour.data.usage, "tokens_out")) : "\u2013"} note={hour.data ? plural(total(hour.data.usage, "calls"), "call") : ""} />
        </dl>
      )}
      <table className="lines">
        <caption>How, in the last {span(seconds)}{session.role === "operator" ? ", all workspaces" : ""}</caption>
        <thead>
          <tr>
            <th scope="col">Way</th>
            <th scope="col" className="number">Calls</th>
            <th scope="col" className="number">Money</th>
            <th scope="col" className="number">Tokens</th>
            <th scope="col" className="number">Time</th>
          </tr>
        </thead>
        <tbody>
          {saved.map((way) => (
            <tr key={way.by}>
              <th scope="row">
                {way.by} <span className="quiet">{WAYS[way.by as keyof typeof WAYS]}</span>
              </th>
              <td className="number">{count(way.calls)}</td>
              <td className="number">{way.by === "batched" ? "\u2013" : money(way.usd)}</td>
              <td className="number">{way.by === "batched" ? "\u2013" : count(way.tokens)}</td>
              <td className="number">{way.by === "batched" ? "\u2013" : duration(way.ms)}</td>
            </tr>
          ))}
          <tr className="sum">
            <th scope="row">spent</th>
            <td className="number" />
            <td className="number">{money(spent.usd)}</td>
            <td className="number">{count(spent.tokens_in + spent.tokens_out)}</td>
            <td className="number" />
          </tr>
        </tbody>
      </table>
    </Panel>
  );
}

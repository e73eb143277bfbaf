// The memory of answers: what it is worth, and how some of it is forgotten.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { answer, api } from "../../api/client";
import { may, scope, useSession } from "../../api/session";
import { useLive } from "../../live/store";
import { Chart } from "../../parts/chart";
import { bytes, count, duration, exactly, money, percent, plural } from "../../parts/format";
import { Panel, Stat, Wide } from "../../parts/panel";
import { Empty, Problem, Waiting } from "../../parts/states";
import { type Usage, byModel, ratioByHour } from "./sums";
import { Purge } from "./purge";

const SPANS: Record<string, [string, number]> = { "24h": ["last 24 hours", 24], "7d": ["last 7 days", 168] };

function useWorth(hours: number) {
  const session = useSession();
  const where = session.workspace.id;
  return useQuery({
    queryKey: ["worth", where, hours],
    queryFn: async ({ signal }) => {
      const since = new Date((Math.floor(Date.now() / 3_600_000) - hours + 1) * 3_600_000).toISOString();
      const query = { by: "hour", since, ...scope(session) };
      const [stats, used] = await Promise.all([
        answer(api.GET("/api/v1/workspaces/{id}/cache/stats", { params: { path: { id: where }, query: { since } }, signal })),
        answer(api.GET("/api/v1/usage", { params: { query }, signal })),
      ]);
      return { stats, usage: used.usage };
    },
    refetchInterval: 30_000,
  });
}

export default function Cache() {
  const session = useSession();
  const [span, setSpan] = useState("24h");
  const [words, hours] = SPANS[span] ?? ["last 24 hours", 24];
  const worth = useWorth(hours);
  return (
    <div className="screen">
      <h1 className="hidden">Cache</h1>
      <Held />
      <Panel
        title="What it was worth"
        aside={
          <select aria-label="Time" value={span} onChange={(event) => setSpan(event.target.value)}>
            {Object.entries(SPANS).map(([name, [label]]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        }
      >
        {worth.isPending && <Waiting what="Adding up" />}
        {worth.isError && <Problem error={worth.error} retry={() => void worth.refetch()} />}
        {worth.data && (
          <>
            <dl className="row">
              <Stat label="Hit rate" value={percent(worth.data.stats.hits, worth.data.stats.lookups)} note={`${words}, ${session.workspace.name}`} />
              <Stat label="Look-ups" value={count(worth.data.stats.lookups)} note={`${count(worth.data.stats.misses)} missed`} />
              <Stat label="Hits" value={count(worth.data.stats.hits)} note="from memory" />
              <Stat label="Joined" value={count(worth.data.stats.joined)} note="one answer for many" />
              <Stat label="Money saved" value={money(worth.data.stats.saved)} tone="good" note={`$${worth.data.stats.saved}`} />
              <Stat label="Time saved" value={duration(worth.data.stats.saved_ms)} note="not waited for providers" />
            </dl>
            <Ratio usage={worth.data.usage} hours={hours} />
            <ByModel usage={worth.data.usage} />
          </>
        )}
      </Panel>
      {may(session.role, "admin") && <Purge />}
    </div>
  );
}

/** What memory holds now, for operators. */
function Held() {
  const { pulse } = useLive();
  const cache = pulse?.engine?.cache;
  if (!cache) return null;
  const hits = Object.values(cache.hits).reduce((sum, hits) => sum + hits, 0);
  return (
    <Panel title="What it holds" aside="all workspaces, since the server started">
      <dl className="row">
        <Stat label="Answers kept" value={exactly(cache.entries)} note={cache.online ? "the memory is there" : "restarting: every call is a miss"} />
        <Stat label="Size" value={bytes(cache.bytes)} note={cache.entries > 0 ? `${bytes(Math.round(cache.bytes / cache.entries))} an answer` : "empty"} />
        <Stat label="Hits" value={count(hits)} note={Object.entries(cache.hits).map(([kind, hits]) => `${kind} ${count(hits)}`).join(", ")} />
        <Stat label="Embedding items" value={count(cache.embed_items.hit)} note={`${count(cache.embed_items.joined)} joined, ${count(cache.embed_items.miss)} missed`} />
        <Stat label="Left for room" value={count(cache.evicted)} note={`of ${plural(cache.kept, "answer")} ever kept`} />
        <Stat label="Left by age" value={count(cache.expired)} note={`${count(cache.purged)} purged`} />
      </dl>
    </Panel>
  );
}

function Ratio({ usage, hours }: { usage: Usage[]; hours: number }) {
  const points = ratioByHour(usage, Date.now() / 1000, hours);
  if (points.every(([, ratio]) => ratio === null)) return null;
  const values = points.map(([, ratio]) => ratio);
  return (
    <Chart
      label="Hit rate by hour"
      at={points.map(([at]) => at)}
      lines={[{ label: "hit rate", colour: "--good", values, fill: true, points: true }]}
      write={(value) => `${Math.round(value)}%`}
      height={120}
      span={hours * 3600}
    />
  );
}

function ByModel({ usage }: { usage: Usage[] }) {
  const models = byModel(usage);
  if (models.length === 0) return <Empty title="No calls in this time">What is answered from memory stands here, model by model.</Empty>;
  return (
    <Wide label="By model">
      <table className="lines">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" className="number">Calls</th>
            <th scope="col" className="number">Hits</th>
            <th scope="col" className="number">Joined</th>
            <th scope="col" className="number">Missed</th>
            <th scope="col" className="number">Hit rate</th>
            <th scope="col" className="number">Saved</th>
            <th scope="col" className="number">Spent</th>
          </tr>
        </thead>
        <tbody>
          {models.map((row) => (
            <tr key={row.model}>
              <th scope="row"><bdi>{row.model}</bdi></th>
              <td className="number">{exactly(row.calls)}</td>
              <td className="number">{exactly(row.hits)}</td>
              <td className="number">{exactly(row.joined)}</td>
              <td className="number">{exactly(row.misses)}</td>
              <td className="number">{percent(row.hits, row.lookups)}</td>
              <td className="number">{money(String(row.saved))}</td>
              <td className="number">{money(String(row.cost))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

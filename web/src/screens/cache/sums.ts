// Sums of the ledger's hours, by model and by hour. Pure.
import type { Schemas } from "../../api/client";

export type Usage = Schemas["UsageRow"];

export interface OfModel {
  model: string;
  calls: number;
  hits: number;
  joined: number;
  misses: number;
  lookups: number;
  saved: number;
  cost: number;
}

/** What was looked up: as the server counts it. */
function lookups(row: Usage): number {
  return row.hits + row.joined + row.misses + row.mixed;
}

/** The models with the most saved first. */
export function byModel(usage: Usage[]): OfModel[] {
  const models = new Map<string, OfModel>();
  for (const row of usage) {
    const sum = models.get(row.model) ?? { model: row.model, calls: 0, hits: 0, joined: 0, misses: 0, lookups: 0, saved: 0, cost: 0 };
    sum.calls += row.calls;
    sum.hits += row.hits;
    sum.joined += row.joined;
    sum.misses += row.misses;
    sum.lookups += lookups(row);
    sum.saved += Number(row.saved);
    sum.cost += Number(row.cost);
    models.set(row.model, sum);
  }
  return [...models.values()].sort((one, other) => other.saved - one.saved || other.calls - one.calls);
}

/** Each hour's beginning and the per cent of look-ups that hit; null where there was none. */
export function ratioByHour(usage: Usage[], now: number, hours: number): [number, number | null][] {
  const sums = new Map<number, [number, number]>();
  for (const row of usage) {
    const at = Date.parse(row.from) / 1000;
    const [hits, all] = sums.get(at) ?? [0, 0];
    sums.set(at, [hits + row.hits, all + lookups(row)]);
  }
  const last = Math.floor(now / 3600) * 3600;
  return Array.from({ length: hours }, (_, index) => {
    const at = last - (hours - 1 - index) * 3600;
    const [hits, all] = sums.get(at) ?? [0, 0];
    return [at, all === 0 ? null : (hits / all) * 100];
  });
}

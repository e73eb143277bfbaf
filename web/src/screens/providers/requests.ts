// What requests to providers came to. Pure.
import type { Sent } from "../../api/requests";

export interface OfProvider {
  requests: number;
  /** Those that were not the first of their call. */
  again: number;
  failed: number;
  p50: number | null;
  p99: number | null;
}

/** Of the provider of this name; a target is `provider/model`. */
export function ofProvider(sent: Sent[], provider: string): OfProvider {
  const own = sent.filter(({ target }) => target.startsWith(`${provider}/`));
  const times = own.flatMap(({ status, total_ms }) => (status === "ok" && typeof total_ms === "number" ? [total_ms] : [])).sort((one, other) => one - other);
  return {
    requests: own.length,
    again: own.filter(({ attempt }) => attempt > 1).length,
    failed: own.filter(({ status }) => status !== "ok" && status !== "interrupted").length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  };
}

function quantile(sorted: number[], part: number): number | null {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? null;
}

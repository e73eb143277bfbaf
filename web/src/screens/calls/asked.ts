// What is asked of the list, as it stands in the address. Pure.

export interface Asked {
  range: string;
  since: string;
  until: string;
  status: string;
  outcome: string;
  model: string;
  provider: string;
  key: string;
  tag: string;
}

export const RANGES: Record<string, [string, number]> = {
  "15m": ["Last 15 minutes", 15 * 60_000],
  "1h": ["Last hour", 3_600_000],
  "6h": ["Last 6 hours", 6 * 3_600_000],
  "24h": ["Last 24 hours", 86_400_000],
  "7d": ["Last 7 days", 7 * 86_400_000],
};
export const OWN = "own";
const USUAL = "24h";

const FIELDS = ["since", "until", "status", "outcome", "model", "provider", "key", "tag"] as const;

export function read(params: URLSearchParams): Asked {
  const text = (name: string) => params.get(name) ?? "";
  const range = text("range");
  const fields = Object.fromEntries(FIELDS.map((name) => [name, text(name)])) as Omit<Asked, "range">;
  const isOwn = fields.since !== "" || fields.until !== "";
  return { ...fields, range: isOwn ? OWN : range in RANGES ? range : USUAL };
}

/** The address with this changed; what is empty or usual is left out. */
export function written(before: URLSearchParams, change: Partial<Asked>): URLSearchParams {
  const next = new URLSearchParams(before);
  for (const [name, value] of Object.entries(change)) {
    if (value === "" || (name === "range" && (value === USUAL || value === OWN))) next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** As the server takes it. A range that ends now is fixed at the moment it was asked, so that its pages fit together. */
export function query(asked: Asked, now: Date): Record<string, string> {
  const query: Record<string, string> = {};
  for (const name of FIELDS) if (asked[name] !== "") query[name] = asked[name];
  const range = RANGES[asked.range];
  if (range !== undefined) query["since"] = new Date(now.getTime() - range[1]).toISOString();
  return query;
}

export function isNarrowed(asked: Asked): boolean {
  return FIELDS.some((name) => asked[name] !== "");
}

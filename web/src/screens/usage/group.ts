// Hours of the ledger added up by model, key or day, and written as CSV. Pure.
import type { Schemas } from "../../api/client";

export type By = "model" | "key" | "day";
type Usage = Schemas["UsageRow"];

const SUMS = ["calls", "hits", "joined", "failed", "tokens_in", "tokens_out"] as const;

export type Line = { name: string; cost: number; saved: number } & Record<(typeof SUMS)[number], number>;

function nameOf(row: Usage, by: By): string {
  if (by === "model") return row.model;
  if (by === "day") return row.from.slice(0, 10);
  return row.credential_name ?? row.credential_id ?? row.credential ?? "without a key";
}

function empty(name: string): Line {
  return { name, calls: 0, hits: 0, joined: 0, failed: 0, tokens_in: 0, tokens_out: 0, cost: 0, saved: 0 };
}

function add(line: Line, row: Usage | Line): void {
  for (const name of SUMS) line[name] += row[name];
  line.cost += Number(row.cost);
  line.saved += Number(row.saved);
}

/** Days from the latest on, others from the most calls on. */
export function lines(usage: Usage[], by: By): Line[] {
  const sums = new Map<string, Line>();
  for (const row of usage) {
    const name = nameOf(row, by);
    const line = sums.get(name) ?? empty(name);
    add(line, row);
    sums.set(name, line);
  }
  const all = [...sums.values()];
  return by === "day" ? all.sort((one, other) => other.name.localeCompare(one.name)) : all.sort((one, other) => other.calls - one.calls);
}

export function totals(lines: Line[]): Line {
  const sum = empty("");
  lines.forEach((line) => add(sum, line));
  return sum;
}

/** RFC 4180; what a spreadsheet would take for a formula is text. */
function cell(value: string | number): string {
  const text = typeof value === "string" && /^[=+\-@\t]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(lines: Line[], heading: string): string {
  const head = [heading.toLowerCase(), ...SUMS, "cost_usd", "saved_usd"];
  const rows = lines.map((line) => [line.name, ...SUMS.map((name) => line[name]), line.cost.toFixed(9), line.saved.toFixed(9)]);
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

// How numbers are written: units always, digits aligned, nothing finer than it is known. Pure.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const NONE = "\u2013";
export const DOT = "\u00b7";

export function count(value: number): string {
  return value < 100_000 ? whole.format(value) : compact.format(value);
}

export function exactly(value: number): string {
  return whole.format(value);
}

export function rate(value: number): string {
  if (value === 0) return "0";
  if (value < 10) return value.toFixed(1);
  return count(value);
}

/** Milliseconds in the unit in which they have one to three digits before the point. */
export function duration(ms: number): string {
  if (ms === 0) return "0 ms";
  if (ms < 0.001) return "<1 \u00b5s";
  if (ms < 1) return `${digits(ms * 1000)} \u00b5s`;
  if (ms < 1000) return `${digits(ms)} ms`;
  if (ms < 60_000) return `${digits(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = value / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${digits(size)} ${units[unit] ?? ""}`;
}

/** USD as the server writes it. Small sums keep two digits that say something. */
export function money(text: string | null | undefined): string {
  if (text === null || text === undefined) return NONE;
  const value = Number(text);
  if (value === 0) return "$0";
  const size = Math.abs(value);
  if (size >= 1000) return `$${compact.format(value)}`;
  if (size >= 0.01) return `$${value.toFixed(2)}`;
  if (size < 0.000_001) return "<$0.000001";
  return `$${value.toFixed(Math.min(6, 1 - Math.floor(Math.log10(size))))}`;
}

export function percent(part: number, of: number): string {
  if (of === 0) return NONE;
  const value = (part / of) * 100;
  if (value === 0 || value === 100) return `${value}%`;
  return value < 10 ? `${value.toFixed(1)}%` : `${value.toFixed(0)}%`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** What a machine's word is for people: `lane_full` is `lane full`. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** How far back something goes, in whole seconds. */
export function span(seconds: number): string {
  return duration(Math.max(1, Math.round(seconds)) * 1000);
}

// Moments, always with their zone. Owns whether people read UTC or their own time.
import { useSyncExternalStore } from "react";

const KEY = "tidegate.zone";
const listeners = new Set<() => void>();
let isUtc = localStorage.getItem(KEY) === "utc";

export function setUtc(utc: boolean): void {
  isUtc = utc;
  localStorage.setItem(KEY, utc ? "utc" : "own");
  listeners.forEach((listener) => listener());
}

export function isUtcNow(): boolean {
  return isUtc;
}

export function useUtc(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => isUtc,
  );
}

function zoned(utc: boolean): { timeZone?: string } {
  return utc ? { timeZone: "UTC" } : {};
}

/** The zone's name at a moment: it changes with summer. */
export function zoneName(utc: boolean, at = new Date()): string {
  const parts = new Intl.DateTimeFormat("en", { ...zoned(utc), timeZoneName: "short" }).formatToParts(at);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

export function clock(at: Date, utc: boolean): string {
  const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  return new Intl.DateTimeFormat("en-GB", { ...zoned(utc), ...parts }).format(at);
}

export function day(at: Date, utc: boolean): string {
  return new Intl.DateTimeFormat("en-CA", { ...zoned(utc), year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
}

interface Props {
  at: string;
  /** Whether the day stands before the time, and the zone behind it. */
  full?: boolean;
  ms?: boolean;
}

export function When({ at, full = false, ms = false }: Props) {
  const utc = useUtc();
  const moment = new Date(at);
  const thousandth = ms ? `.${String(moment.getUTCMilliseconds()).padStart(3, "0")}` : "";
  const time = `${clock(moment, utc)}${thousandth}`;
  const zone = zoneName(utc, moment);
  const whole = `${day(moment, utc)} ${time} ${zone}`;
  return (
    <time dateTime={at} title={`${whole} (${at})`}>
      {full ? whole : time}
    </time>
  );
}

/** The zone of the times around it. */
export function Zone() {
  return <span className="zone">{zoneName(useUtc())}</span>;
}

// What each stage decided about a call, in words. Pure: the ledger's row says it all.
import type { CallRow } from "../../live/message";
import { bytes, duration, plural, words } from "../../parts/format";

export const STAGES = ["admit", "authorise", "key", "lookup", "join", "group", "lane", "act", "inspect", "keep", "tell"] as const;

export const MEANING: Record<string, string> = {
  admit: "who asks, limits, deadline",
  authorise: "whether policy allows it",
  key: "which other calls are equal",
  lookup: "whether the answer is known",
  join: "whether the same is on its way",
  group: "whether it travels in a batch",
  lane: "waiting for a free slot",
  act: "the provider",
  inspect: "whether the answer is clean",
  keep: "whether it is remembered",
  tell: "handed over and written down",
};

export function decision(stage: string, row: CallRow): string {
  if (row.error?.stage === stage) return `${words(row.error.code)}, ${row.error.blame}`;
  const is = (outcome: string) => row.outcome === outcome;
  switch (stage) {
    case "admit":
      return row.credential_id ?? (row.credential === null || row.credential === undefined ? "no key needed" : row.credential);
    case "authorise":
      return row.decision ?? "not asked";
    case "key":
      return row.key === null || row.key === undefined ? "none made" : `${row.key.slice(0, 16)}\u2026`;
    case "lookup":
      if (is("hit")) return "known: the kept answer is given";
      return row.reason === "" ? words(row.outcome) : `no: ${words(row.reason)}`;
    case "join":
      return is("joined") ? "yes: shares the other's answer" : "no other like it in the air";
    case "group":
      return row.batch === null || row.batch === undefined ? "alone" : "in a batch with others";
    case "lane":
      return `waited ${duration(row.lane_wait_ms)}`;
    case "act":
      return `${row.target ?? "nobody"}, ${plural(row.attempts, "request")}`;
    case "inspect":
      return "clean";
    case "keep":
      return is("bypass") ? "not to be remembered" : "offered to memory";
    case "tell":
      return `${words(row.status)}, ${bytes(row.bytes)}`;
    default:
      return "";
  }
}

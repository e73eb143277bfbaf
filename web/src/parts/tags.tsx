// Words with a mark: how a call came out, how something is. The mark's form and the word say it, the colour only helps.
import { Icon, type IconName } from "./icon";
import { words } from "./format";

const SIGNS: Record<string, string> = {
  hit: "\u25cf",
  joined: "\u25c6",
  miss: "\u25cb",
  mixed: "\u25d0",
  bypass: "\u2192",
  failed: "\u2715",
  abandoned: "\u25c7",
};

export const OUTCOMES = ["hit", "joined", "miss", "mixed", "bypass", "failed", "abandoned"] as const;

export function Outcome({ outcome }: { outcome: string }) {
  return (
    <span className={`outcome ${outcome}`}>
      <span aria-hidden="true">{SIGNS[outcome] ?? "\u00b7"}</span>
      {outcome}
    </span>
  );
}

export type Tone = "good" | "warn" | "bad" | "none";
const ICONS: Record<Tone, IconName> = { good: "check", warn: "alert", bad: "cross", none: "pause" };

export function Condition({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={`condition ${tone}`}>
      <Icon name={ICONS[tone]} size={13} />
      {children}
    </span>
  );
}

const BREAKER: Record<string, [Tone, string]> = {
  closed: ["good", "well"],
  half_open: ["warn", "trying again"],
  open: ["bad", "left alone"],
};

/** How a provider is, by its breaker. */
export function breakerOf(breaker: string): [Tone, string] {
  return BREAKER[breaker] ?? ["none", words(breaker)];
}

const WHOSE: Record<string, string> = { caller: "caller's", us: "ours", upstream: "provider's" };

export function Blame({ blame }: { blame: string }) {
  return <span className={`blame ${blame}`}>{WHOSE[blame] ?? words(blame)}</span>;
}

// Whether all is well, in one sentence. Pure, so that what an operator reads first can be read here too.
import type { Pulse } from "../../live/message";
import { percent, plural, words } from "../../parts/format";
import type { Tone } from "../../parts/tags";

export interface Verdict {
  tone: Tone;
  head: string;
  /** What is wrong, or what is well. */
  lines: string[];
}

/** Calls of the last minutes that failed and were not the caller's own doing. */
function failed(pulse: Pulse): number {
  const theirs = pulse.recent.failures.filter((failure) => failure.blame !== "caller");
  return theirs.reduce((sum, failure) => sum + failure.calls, 0);
}

export function judge(pulse: Pulse): Verdict {
  const down = pulse.readiness.parts.filter((part) => !part.ready);
  const lost = failed(pulse);
  const all = pulse.recent.calls;
  const lines = down.map((part) => `${part.part}: ${words(part.why)}`);
  if (lost > 0) {
    const worst = pulse.recent.failures.find((failure) => failure.blame !== "caller");
    const where = worst === undefined ? "" : `, mostly ${words(worst.code)} at ${worst.stage}`;
    lines.push(`${plural(lost, "call")} of ${plural(all, "call")} failed (${percent(lost, all)})${where}`);
  }
  const full = pulse.engine?.lanes.filter((lane) => lane.depth >= lane.limit * 0.9) ?? [];
  lines.push(...full.map((lane) => `lane ${lane.name} is nearly full: ${lane.depth} of ${lane.limit} wait`));
  if (pulse.engine?.draining === true) lines.unshift("the server is stopping: it takes no more calls");
  if (!pulse.readiness.ready) return { tone: "bad", head: "Calls cannot be answered", lines };
  if (all >= 5 && lost / all >= 0.05) return { tone: "bad", head: "Many calls fail", lines };
  if (lines.length > 0) return { tone: "warn", head: "Answering, but not all is well", lines };
  const calm = all === 0 ? "No calls in the last minutes." : `${plural(all, "call")} in the last minutes, none failed by us or a provider.`;
  return { tone: "good", head: "All is well", lines: [calm] };
}

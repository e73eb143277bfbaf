// Whose calls take the lanes. Pure.
import type { CallRow } from "../../live/message";

const MOST = 8;

export interface Taker {
  workspace: string;
  calls: number;
  /** Milliseconds waited in lanes, of all its calls and of one. */
  waited: number;
  longest: number;
}

/** The workspaces with the most calls first. */
export function byWorkspace(calls: CallRow[]): Taker[] {
  const takers = new Map<string, Taker>();
  for (const { workspace, lane_wait_ms } of calls) {
    const taker = takers.get(workspace) ?? { workspace, calls: 0, waited: 0, longest: 0 };
    taker.calls += 1;
    taker.waited += lane_wait_ms;
    taker.longest = Math.max(taker.longest, lane_wait_ms);
    takers.set(workspace, taker);
  }
  return [...takers.values()].sort((one, other) => other.calls - one.calls).slice(0, MOST);
}

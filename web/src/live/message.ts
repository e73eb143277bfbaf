// What tabs and the worker that listens for all of them tell each other. Plain values.
import type { Schemas } from "../api/client";

export type Pulse = Schemas["Pulse"];
export type CallRow = Schemas["CallRow"];

export type State =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "away"; since: number; next: number; why: string }
  | { kind: "refused"; status: number; code: string; why: string };

/** A lane in one second. */
export interface LanePoint {
  name: string;
  running: number;
  waiting: number;
}

/** One second, as charts remember it. */
export interface Point {
  /** Unix seconds by the server's clock. */
  at: number;
  completed: number | null;
  failed: number | null;
  lanes: LanePoint[];
  p50: number | null;
  p99: number | null;
}

export type Told =
  | { type: "state"; state: State }
  | { type: "pulse"; pulse: Pulse; point: Point }
  | { type: "calls"; calls: CallRow[]; lost: number }
  | { type: "all"; state: State; pulse: Pulse | null; points: Point[]; calls: CallRow[]; lost: number };

export type Asked = { type: "hello"; place: string } | { type: "bye" } | { type: "retry" };

export const POINTS = 300;
export const CALLS = 300;

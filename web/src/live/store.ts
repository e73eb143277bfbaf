// What this tab heard last. Owns the way to the worker, and the stream of the tab itself where browsers have no such workers.
import { useSyncExternalStore } from "react";

import { Listener } from "./listener";
import { type Asked, CALLS, type CallRow, POINTS, type Point, type Pulse, type State, type Told } from "./message";

export interface Live {
  state: State;
  pulse: Pulse | null;
  /** When this tab heard the pulse, by its own steady clock. */
  heardAt: number;
  points: Point[];
  calls: CallRow[];
  lost: number;
}

const NOTHING: Live = { state: { kind: "connecting" }, pulse: null, heardAt: 0, points: [], calls: [], lost: 0 };

let live = NOTHING;
let ask: ((asked: Asked) => void) | null = null;
const listeners = new Set<() => void>();

function change(next: Partial<Live>): void {
  live = { ...live, ...next };
  listeners.forEach((listener) => listener());
}

function take(told: Told): void {
  switch (told.type) {
    case "state":
      return change({ state: told.state });
    case "pulse":
      return change({
        pulse: told.pulse,
        heardAt: performance.now(),
        points: [...live.points, told.point].slice(-POINTS),
      });
    case "calls":
      return change({ calls: [...told.calls, ...live.calls].slice(0, CALLS), lost: told.lost });
    case "all": {
      const { state, pulse, points, calls, lost } = told;
      return change({ state, pulse, points, calls, lost, heardAt: pulse === null ? 0 : performance.now() });
    }
  }
}

/** Begins to listen in the workspace of this name; `""` is one's first. */
export function listen(place: string): () => void {
  live = NOTHING;
  const send = connected(place);
  ask = send;
  send({ type: "hello", place });
  const leave = () => send({ type: "bye" });
  const back = (event: PageTransitionEvent) => {
    if (event.persisted) send({ type: "hello", place });
  };
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", back);
  return () => {
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", back);
    leave();
    ask = null;
  };
}

function connected(place: string): (asked: Asked) => void {
  if (typeof SharedWorker === "function") {
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: `tidegate ${place}`,
    });
    worker.port.onmessage = ({ data }: MessageEvent<Told>) => take(data);
    worker.port.start();
    return (asked) => worker.port.postMessage(asked);
  }
  const own = new Listener(take);
  return (asked) => {
    if (asked.type === "hello") own.start(asked.place);
    else if (asked.type === "bye") own.end();
    else own.retry();
  };
}

/** Connects again at once. */
export function retry(): void {
  ask?.({ type: "retry" });
}

export function useLive(): Live {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => live,
  );
}

// The one stream of a browser: connected, parsed, and connected again. Runs in the worker, or in the page where there is none.
// Owns the pace of trying again; must not know who is told.
import { CALLS, type CallRow, POINTS, type Point, type Pulse, type State, type Told } from "./message";

const STREAM = "/api/v1/console/stream";
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The server speaks every second; so long a silence is a cut. */
const SILENCE_MS = 8_000;
/** Calls are told together, so that a page draws at most so often. */
const TOGETHER_MS = 250;

export class Listener {
  private state: State = { kind: "connecting" };
  private pulse: Pulse | null = null;
  private points: Point[] = [];
  private calls: CallRow[] = [];
  private lost = 0;
  private fresh: CallRow[] = [];
  private flushing: ReturnType<typeof setTimeout> | null = null;
  private stop: AbortController | null = null;
  private waking: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;
  private awaySince = 0;
  private place = "";
  private readonly tell: (told: Told) => void;

  constructor(tell: (told: Told) => void) {
    this.tell = tell;
  }

  all(): Told {
    return { type: "all", state: this.state, pulse: this.pulse, points: this.points, calls: this.calls, lost: this.lost };
  }

  start(place: string): void {
    this.place = place;
    if (this.stop === null && this.waking === null) void this.listen();
  }

  end(): void {
    this.stop?.abort();
    this.stop = null;
    if (this.waking !== null) clearTimeout(this.waking);
    this.waking = null;
  }

  /** Tries at once. */
  retry(): void {
    this.end();
    void this.listen();
  }

  private become(state: State): void {
    this.state = state;
    this.tell({ type: "state", state });
  }

  private async listen(): Promise<void> {
    const stop = new AbortController();
    this.stop = stop;
    this.waking = null;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort("the server fell silent"), SILENCE_MS);
    };
    try {
      heard();
      let answer = await this.ask(stop.signal);
      if (answer.status === 401 && (await renewed())) answer = await this.ask(stop.signal);
      if (answer.status !== 200 || answer.body === null) {
        const refused = await whyRefused(answer);
        if (answer.status === 401 || answer.status === 403) {
          this.become(refused);
          this.stop = null;
          return;
        }
        throw new Error(refused.why);
      }
      await this.read(answer.body, heard);
      throw new Error("the server ended the stream");
    } catch (error) {
      if (this.stop === stop) this.later(stop.signal.aborted ? String(stop.signal.reason) : String(error));
    } finally {
      clearTimeout(silence);
    }
  }

  private ask(signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.place !== "") headers["x-tidegate-workspace"] = this.place;
    return fetch(STREAM, { headers, signal, cache: "no-store" });
  }

  private later(why: string): void {
    this.stop = null;
    this.failures += 1;
    if (this.failures === 1) this.awaySince = Date.now();
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.failures - 1));
    // Not all tabs of all people at the same moment.
    const wait = longest / 2 + (longest / 2) * Math.random();
    this.become({ kind: "away", since: this.awaySince, next: Date.now() + wait, why });
    this.waking = setTimeout(() => void this.listen(), wait);
  }

  private async read(body: ReadableStream<Uint8Array>, heard: () => void): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      blocks.forEach((block) => this.event(block));
    }
  }

  private event(block: string): void {
    const [head = "", data = ""] = block.split("\n", 2);
    const body = data.slice("data: ".length);
    switch (head) {
      case "event: pulse":
        return this.second(JSON.parse(body) as Pulse);
      case "event: call":
        this.fresh.push(JSON.parse(body) as CallRow);
        break;
      case "event: lost":
        this.lost += (JSON.parse(body) as { calls: number }).calls;
        break;
      case "event: sampled": {
        const { calls, shown } = JSON.parse(body) as { calls: number; shown: number };
        this.lost += calls - shown;
        break;
      }
      default:
        return;
    }
    this.flushing ??= setTimeout(() => this.flush(), TOGETHER_MS);
  }

  private second(pulse: Pulse): void {
    this.failures = 0;
    if (this.state.kind !== "live") this.become({ kind: "live" });
    this.pulse = pulse;
    const point = pointOf(pulse);
    this.points = [...this.points, point].slice(-POINTS);
    this.tell({ type: "pulse", pulse, point });
  }

  private flush(): void {
    this.flushing = null;
    const calls = this.fresh.reverse();
    this.fresh = [];
    this.calls = [...calls, ...this.calls].slice(0, CALLS);
    this.tell({ type: "calls", calls, lost: this.lost });
  }
}

function pointOf(pulse: Pulse): Point {
  const lanes = pulse.engine?.lanes ?? [];
  return {
    at: Date.parse(pulse.at) / 1000,
    completed: pulse.rates?.completed ?? null,
    failed: pulse.rates?.failed ?? null,
    lanes: lanes.map(({ name, in_flight, depth }) => ({ name, running: in_flight, waiting: depth })),
    p50: pulse.recent.total?.p50_ms ?? null,
    p99: pulse.recent.total?.p99_ms ?? null,
  };
}

async function renewed(): Promise<boolean> {
  const headers = { "content-type": "application/json", "x-tidegate-csrf": "1" };
  const answer = await fetch("/api/v1/auth/refresh", { method: "POST", headers, body: "{}" });
  return answer.ok;
}

async function whyRefused(answer: Response): Promise<Extract<State, { kind: "refused" }>> {
  const body = (await answer.json().catch(() => null)) as { error?: { message?: string; code?: string } } | null;
  const why = body?.error?.message ?? `the server answered ${answer.status}`;
  return { kind: "refused", status: answer.status, code: body?.error?.code ?? "", why };
}

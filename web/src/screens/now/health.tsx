// A line of parts: providers, lanes, what is kept, which configuration.
import type { Pulse } from "../../live/message";
import { bytes, count, duration, words } from "../../parts/format";
import { Condition, type Tone, breakerOf } from "../../parts/tags";

interface Part {
  name: string;
  tone: Tone;
  state: string;
  note: string;
}

function parts({ engine, ledger, readiness, version, config }: Pulse): Part[] {
  const shown: Part[] = [];
  for (const provider of engine?.providers ?? []) {
    const [tone, state] = breakerOf(provider.breaker);
    const wait = provider.breaker === "open" ? `, again in ${duration(provider.open_for_ms)}` : "";
    shown.push({ name: `provider ${provider.name}`, tone, state, note: `${provider.in_flight} of ${count(provider.limit)} in the air${wait}` });
  }
  const known = new Set(shown.map((part) => part.name));
  for (const { part, ready, why } of readiness.parts) {
    if (known.has(part)) continue;
    shown.push({ name: part, tone: ready ? "good" : "bad", state: ready ? "well" : words(why), note: noteOf(part) });
  }
  function noteOf(part: string): string {
    const lane = engine?.lanes.find(({ name }) => part === `lane ${name}`);
    if (lane !== undefined) return `${lane.in_flight} of ${count(lane.in_flight_limit)} run, ${lane.depth} wait`;
    if (part === "cache" && engine) return `${count(engine.cache.entries)} answers, ${bytes(engine.cache.bytes)}`;
    if (part === "admission" && engine) return `${engine.operations.active} of ${count(engine.operations.limit)} in progress`;
    if (part === "ledger" && ledger) return `${bytes(ledger.unfolded_bytes)} not in tables yet`;
    return "";
  }
  shown.push({ name: "config", tone: "good", state: config.slice(0, 12), note: `Tidegate ${version}` });
  return shown;
}

export function Health({ pulse }: { pulse: Pulse }) {
  const order: Record<Tone, number> = { bad: 0, warn: 1, none: 2, good: 3 };
  const shown = parts(pulse).sort((one, other) => order[one.tone] - order[other.tone]);
  return (
    <section className="health" aria-label="Parts">
      <ul>
        {shown.map(({ name, tone, state, note }) => (
          <li key={name} className={tone}>
            <span className="name">{name}</span>
            <Condition tone={tone}>{state}</Condition>
            <span className="note">{note}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

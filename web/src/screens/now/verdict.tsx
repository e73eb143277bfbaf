// The one sentence and the five figures beside it.
import type { Pulse } from "../../live/message";
import { count, duration, money, percent, rate, span } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { Stat } from "../../parts/panel";
import { judge } from "./judge";

const ICON = { good: "check", warn: "alert", bad: "cross", none: "pause" } as const;

export function Verdict({ pulse }: { pulse: Pulse }) {
  const { tone, head, lines } = judge(pulse);
  const { recent, engine, rates } = pulse;
  const hits = recent.outcomes.filter(({ outcome }) => outcome === "hit" || outcome === "joined");
  const shared = hits.reduce((sum, { calls }) => sum + calls, 0);
  const perSecond = rates?.completed ?? (recent.seconds > 0 ? recent.calls / recent.seconds : 0);
  const saved = recent.saved.reduce((sum, way) => sum + Number(way.usd), 0);
  return (
    <section className={`verdict ${tone}`} aria-label="Verdict">
      <div className="said">
        <span className="seal">
          <Icon name={ICON[tone]} size={22} />
        </span>
        <div>
          <p className="head">{head}</p>
          <ul>
            {lines.slice(0, 4).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      </div>
      <dl className="figures">
        <Stat label="Calls" value={<>{rate(perSecond)} <small>/s</small></>} note={`${count(recent.calls)} in ${span(recent.seconds)}`} />
        <Stat label="In progress" value={count(engine?.operations.active ?? 0)} note={engine ? `of ${count(engine.operations.limit)}` : ""} />
        <Stat label="Hit or joined" value={percent(shared, recent.calls)} note={`${count(shared)} of ${count(recent.calls)} calls`} />
        <Stat label="p99" value={recent.total ? duration(recent.total.p99_ms) : "\u2013"} note={recent.total ? `p50 ${duration(recent.total.p50_ms)}` : "no answers yet"} />
        <Stat label="Saved" value={money(String(saved))} note={`spent ${money(recent.spent.usd)}`} />
      </dl>
    </section>
  );
}

// The frames of a screen: a panel with its heading, a figure with its unit, a bar beside its number.
import type { ReactNode } from "react";

interface PanelProps {
  title: string;
  /** What the title is about, or where more is. */
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}

export function Panel({ title, aside, children, className = "" }: PanelProps) {
  return (
    <section className={`panel ${className}`} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {aside !== undefined && <div className="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** What may be wider than the screen: it scrolls, by the keys too. */
export function Wide({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="wideable" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}

interface StatProps {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  tone?: "good" | "warn" | "bad";
}

export function Stat({ label, value, note, tone }: StatProps) {
  return (
    <div className={`stat ${tone ?? ""}`}>
      <dt>{label}</dt>
      <dd>{value}</dd>
      {note !== undefined && <dd className="note">{note}</dd>}
    </div>
  );
}

interface MeterProps {
  value: number;
  of: number;
  label: string;
}

/** How full something is. The number stands beside it, so the bar is for eyes only. */
export function Meter({ value, of, label }: MeterProps) {
  const part = of === 0 ? 0 : Math.min(1, value / of);
  const tone = part >= 0.9 ? "bad" : part >= 0.6 ? "warn" : "good";
  return (
    <span className="meter" title={label} aria-hidden="true">
      <span className={tone} style={{ inlineSize: `${part > 0 ? Math.max(2, part * 100) : 0}%` }} />
    </span>
  );
}

// A line through time. Owns uPlot and its size; the colours are those of the page.
import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import { clock, day, isUtcNow, useUtc } from "./when";
import { useTheme } from "../shell/theme";

export interface Line {
  label: string;
  /** A variable of the style sheet. */
  colour: string;
  values: (number | null)[];
  dash?: number[];
  fill?: boolean;
  /** Whether single values are marked. */
  points?: boolean;
}

interface Props {
  /** What is seen, for those who cannot. */
  label: string;
  at: number[];
  lines: Line[];
  write: (value: number) => string;
  height: number;
  /** Seconds of the axis. */
  span: number;
}

const DAY_S = 86_400;

function options({ lines, write, height, span }: Props, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const font = "11px Inter, system-ui, sans-serif";
  const axis = { stroke: colour("--quiet"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.15 : 1] } },
    axes: [
      { ...axis, space: 70, size: 24, values: (_, ticks) => ticks.map((tick) => clockOf(tick, span > DAY_S)) },
      { ...axis, size: 56, space: 28, values: (_, ticks) => ticks.map((tick) => write(tick)) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.5,
        points: { show: line.points ?? false, size: 5 },
        ...(line.dash === undefined ? {} : { dash: line.dash }),
        ...(line.fill === true ? { fill: `${colour(line.colour)}22` } : {}),
      })),
    ],
  };
}

/** As the page shows times, in its zone. */
function clockOf(seconds: number, withDay: boolean): string {
  const at = new Date(seconds * 1000);
  return withDay ? day(at, isUtcNow()).slice(5) : clock(at, isUtcNow());
}

export function Chart(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const theme = useTheme();
  const utc = useUtc();
  const names = props.lines.map((line) => line.label).join();
  useEffect(() => {
    const box = place.current;
    if (box === null) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(latest.current, box.clientWidth), dataOf(latest.current), box);
      window_(plot.current, latest.current);
    };
    make();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height: latest.current.height }));
    sized.observe(box);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    return () => {
      sized.disconnect();
      scheme.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme, utc, names]);
  useEffect(() => {
    if (plot.current === null) return;
    plot.current.setData(dataOf(props), false);
    window_(plot.current, props);
  });
  return <div ref={place} className="chart" role="img" aria-label={props.label} style={{ blockSize: props.height }} />;
}

/** Which line is which, and where it ends. */
export function Legend({ lines }: { lines: { label: string; colour: string; last: string }[] }) {
  return (
    <ul className="legend">
      {lines.map(({ label, colour, last }) => (
        <li key={label}>
          <span className="swatch" style={{ background: `var(${colour})` }} aria-hidden="true" />
          {label} <b>{last}</b>
        </li>
      ))}
    </ul>
  );
}

function dataOf({ at, lines }: Props): uPlot.AlignedData {
  return [at, ...lines.map((line) => line.values)];
}

/** The axis always has the same length: what moves is the line, not the scale. */
function window_(plot: uPlot, { at, span }: Props): void {
  const max = at.at(-1) ?? Date.now() / 1000;
  plot.batch(() => {
    plot.setScale("x", { min: max - span, max });
  });
}

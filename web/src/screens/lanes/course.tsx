// One figure of all lanes through the last minutes.
import { POINTS, type LanePoint } from "../../live/message";
import { useLive } from "../../live/store";
import { Chart, Legend, type Line } from "../../parts/chart";
import { NONE, count } from "../../parts/format";
import { Panel } from "../../parts/panel";

/** Told apart by more than colour. */
const STYLES: readonly { colour: string; dash?: number[]; name: string }[] = [
  { colour: "--accent", name: "" },
  { colour: "--joined", dash: [6, 3], name: " (dashed)" },
  { colour: "--good", dash: [2, 2], name: " (dotted)" },
  { colour: "--warn", dash: [8, 3, 2, 3], name: " (dash and dot)" },
];

export function Course({ what, title }: { what: Exclude<keyof LanePoint, "name">; title: string }) {
  const { points } = useLive();
  const names = points.at(-1)?.lanes.map(({ name }) => name) ?? [];
  const lines = names.map((name, index) => {
    const style = STYLES[index % STYLES.length] ?? { colour: "--accent", name: "" };
    const values = points.map(({ lanes }) => lanes.find((lane) => lane.name === name)?.[what] ?? null);
    return { ...style, label: name, values, told: `${name}${style.name}` };
  });
  const last = (line: Line) => count(line.values.at(-1) ?? 0);
  return (
    <Panel title={title} aside="5 min, each second">
      <Legend lines={lines.map((line) => ({ label: line.told, colour: line.colour, last: last(line) }))} />
      <Chart
        label={`${title}: ${lines.map((line) => `${line.label} ${last(line)}`).join(", ") || NONE} just now`}
        at={points.map(({ at }) => at)}
        lines={lines}
        write={(value) => (Number.isInteger(value) ? count(value) : "")}
        height={128}
        span={POINTS}
      />
    </Panel>
  );
}

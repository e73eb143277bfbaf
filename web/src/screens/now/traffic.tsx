// Calls and latency of the last five minutes, second by second.
import { POINTS } from "../../live/message";
import { useLive } from "../../live/store";
import { Chart, Legend, type Line } from "../../parts/chart";
import { duration, rate } from "../../parts/format";
import { Panel } from "../../parts/panel";

export function Traffic() {
  const { points } = useLive();
  const at = points.map((point) => point.at);
  const last = points.at(-1);
  const flow: Line[] = [
    { label: "answered /s", colour: "--accent", values: points.map((point) => point.completed), fill: true },
    { label: "failed /s", colour: "--bad", values: points.map((point) => point.failed), dash: [4, 3] },
  ];
  const times: Line[] = [
    { label: "p99", colour: "--warn", values: points.map((point) => point.p99) },
    { label: "p50", colour: "--accent", values: points.map((point) => point.p50), dash: [2, 2] },
  ];
  const completed = last?.completed ?? 0;
  const failed = last?.failed ?? 0;
  return (
    <Panel title="Traffic" aside="5 min, each second" className="traffic">
      <Legend
        lines={[
          { label: "answered", colour: "--accent", last: `${rate(completed)} /s` },
          { label: "failed (dashed)", colour: "--bad", last: `${rate(failed)} /s` },
        ]}
      />
      <Chart label={`Calls per second: ${rate(completed)} answered, ${rate(failed)} failed just now`} at={at} lines={flow} write={rate} height={112} span={POINTS} />
      <Legend
        lines={[
          { label: "p99", colour: "--warn", last: last?.p99 == null ? "\u2013" : duration(last.p99) },
          { label: "p50 (dashed)", colour: "--accent", last: last?.p50 == null ? "\u2013" : duration(last.p50) },
        ]}
      />
      <Chart label="Time until an answer had ended" at={at} lines={times} write={duration} height={112} span={POINTS} />
    </Panel>
  );
}

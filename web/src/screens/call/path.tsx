// The path of a call as a picture: each stage where it stood in time, and what it decided.
import type { Schemas } from "../../api/client";
import type { CallRow } from "../../live/message";
import { NONE, duration } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Waiting } from "../../parts/states";
import { MEANING, STAGES, decision } from "./decisions";

type Stage = Schemas["StageShown"];

interface Props {
  row: CallRow;
  stages: Stage[];
  pending: boolean;
}

export function Path({ row, stages, pending }: Props) {
  const whole = Math.max(row.total_ms * 1000, ...stages.map((stage) => stage.at_us), 1);
  const spent = (theirs: boolean) =>
    stages.filter(({ stage }) => isTheirs(stage, row) === theirs).reduce((sum, stage) => sum + stage.took_us, 0) / 1000;
  const split = row.attempts > 0 ? `${duration(spent(true))} at the provider, ${duration(spent(false))} here` : `${duration(spent(false))}, all of it here`;
  return (
    <Panel title="The way it went" className="path" aside={stages.length > 0 ? split : ""}>
      {pending ? (
        <Waiting what="Asking for the way" />
      ) : (
        <ol className="stages">
          {STAGES.map((name) => {
            const stage = stages.find((stage) => stage.stage === name);
            return <Line key={name} name={name} stage={stage ?? null} row={row} whole={whole} />;
          })}
        </ol>
      )}
    </Panel>
  );
}

/** While a stream is handed over, it is the provider that is waited for. */
function isTheirs(stage: string, row: CallRow): boolean {
  return stage === "act" || (stage === "tell" && row.form === "stream" && row.attempts > 0);
}

/** Why a stage has no time. */
function untouched(stage: string, row: CallRow): string {
  if (row.status !== "ok") return "not reached";
  return stage === "keep" && row.outcome === "miss" ? "done aside, after the answer" : "nothing to do";
}

interface LineProps {
  name: string;
  stage: Stage | null;
  row: CallRow;
  /** Of the picture, microseconds. */
  whole: number;
}

function Line({ name, stage, row, whole }: LineProps) {
  const failed = row.error?.stage === name;
  const kind = failed ? "failed" : stage === null ? "passed" : isTheirs(name, row) ? "theirs" : "ours";
  const from = stage === null ? 0 : ((stage.at_us - stage.took_us) / whole) * 100;
  const long = stage === null ? 0 : (stage.took_us / whole) * 100;
  return (
    <li className={kind}>
      <span className="dot" aria-hidden="true" />
      <span className="name" title={MEANING[name]}>
        {name}
      </span>
      <span className="span" aria-hidden="true">
        {stage !== null && <span style={{ insetInlineStart: `${Math.min(from, 99.5)}%`, inlineSize: `${Math.max(0.5, Math.min(long, 100 - from))}%` }} />}
      </span>
      <span className="number">{stage === null ? NONE : duration(stage.took_us / 1000)}</span>
      <bdi className="decision">{stage === null && !failed ? untouched(name, row) : decision(name, row)}</bdi>
    </li>
  );
}

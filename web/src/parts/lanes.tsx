// Lanes as rows: how full each is, and what it refuses.
import type { Schemas } from "../api/client";
import { NONE, count, duration, exactly, rate } from "./format";
import { Meter } from "./panel";
import { Condition, type Tone } from "./tags";

export type Lane = Schemas["LaneState"];

interface Props {
  lanes: Lane[];
  /** Refusals per second, where they are known. */
  refused: Schemas["RefusedRate"][] | null;
  /** Whether a row also says how its lane is, and what it refused since the start. */
  whole?: boolean;
}

export function LaneTable({ lanes, refused, whole = false }: Props) {
  return (
    <table className="lines">
      <thead>
        <tr>
          <th scope="col">Lane</th>
          {whole && <th scope="col">State</th>}
          <th scope="col">Running</th>
          <th scope="col">Waiting</th>
          <th scope="col" className="number">Oldest</th>
          {refused !== null && <th scope="col" className="number">Refused /s</th>}
          {whole && <th scope="col" className="number">Refused, full</th>}
          {whole && <th scope="col" className="number">Refused, closed</th>}
        </tr>
      </thead>
      <tbody>
        {lanes.map((lane) => (
          <tr key={lane.name}>
            <th scope="row">
              {lane.name} {!whole && lane.closed && <Condition tone="bad">closed</Condition>}
            </th>
            {whole && (
              <td>
                <LaneCondition lane={lane} />
              </td>
            )}
            <td>
              <span className="filled">
                <Meter value={lane.in_flight} of={lane.in_flight_limit} label={`${lane.in_flight} of ${lane.in_flight_limit} run`} />
                {count(lane.in_flight)} <span className="quiet">of {count(lane.in_flight_limit)}</span>
              </span>
            </td>
            <td>
              <span className="filled">
                <Meter value={lane.depth} of={lane.limit} label={`${lane.depth} of ${lane.limit} wait`} />
                {count(lane.depth)} <span className="quiet">of {count(lane.limit)}</span>
              </span>
            </td>
            <td className="number">{lane.depth === 0 ? NONE : duration(lane.oldest_wait_ms)}</td>
            {refused !== null && <RefusedNow now={refused.find(({ lane: name }) => name === lane.name)} />}
            {whole && <td className="number">{exactly(lane.refused.full)}</td>}
            {whole && <td className="number">{exactly(lane.refused.closed)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RefusedNow({ now }: { now: Schemas["RefusedRate"] | undefined }) {
  const [full, closed] = [now?.full ?? 0, now?.closed ?? 0];
  return (
    <td className="number">
      {rate(full + closed)}
      <span className="quiet"> {full > 0 ? "full" : closed > 0 ? "closed" : ""}</span>
    </td>
  );
}

/** The most pressing of what there is to say. */
function LaneCondition({ lane }: { lane: Lane }) {
  const [tone, words] = conditionOf(lane);
  return <Condition tone={tone}>{words}</Condition>;
}

function conditionOf(lane: Lane): [Tone, string] {
  if (lane.closed) return ["bad", "closed"];
  if (lane.depth >= lane.limit) return ["bad", "full"];
  if (lane.depth >= lane.limit * 0.9) return ["warn", "nearly full"];
  if (lane.in_flight >= lane.in_flight_limit) return ["warn", "all slots taken"];
  return ["good", "well"];
}

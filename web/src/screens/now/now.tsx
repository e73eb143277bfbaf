// The first screen: whether all is well, who is affected, what is saved and what it costs.
import "./now.css";

import { useLive } from "../../live/store";
import { Problem, Waiting } from "../../parts/states";
import { Refusal } from "../../api/client";
import { retry } from "../../live/store";
import { Health } from "./health";
import { Failures } from "./failures";
import { Lanes } from "./lanes";
import { Latency } from "./latency";
import { Savings } from "./savings";
import { Tail } from "./tail";
import { Traffic } from "./traffic";
import { Verdict } from "./verdict";

export default function Now() {
  const { state, pulse } = useLive();
  if (state.kind === "refused") {
    return <Problem error={new Refusal(state.status, state.code, state.why)} retry={retry} />;
  }
  if (pulse === null) {
    if (state.kind === "away") return <Problem error={new Refusal(0, "away", state.why)} retry={retry} />;
    return <Waiting what="Waiting for the first second" />;
  }
  return (
    <div className="now">
      <h1 className="hidden">Now</h1>
      <Verdict pulse={pulse} />
      <Health pulse={pulse} />
      <div className="grid">
        <Traffic />
        <Savings pulse={pulse} />
        <Latency recent={pulse.recent} />
        <div className="column">
          {pulse.engine && <Lanes engine={pulse.engine} rates={pulse.rates ?? null} />}
          <Failures recent={pulse.recent} />
        </div>
        <Tail />
      </div>
    </div>
  );
}

// The first screen: whether all is well, who is affected, what is saved and what it costs.
import "./now.css";

import { Pulsed } from "../../parts/pulsed";
import { Health } from "./health";
import { Failures } from "./failures";
import { Lanes } from "./lanes";
import { Latency } from "./latency";
import { Savings } from "./savings";
import { Tail } from "./tail";
import { Traffic } from "./traffic";
import { Verdict } from "./verdict";

export default function Now() {
  return (
    <Pulsed>
      {(pulse) => (
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
      )}
    </Pulsed>
  );
}

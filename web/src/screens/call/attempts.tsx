// What was sent to providers for a call.
import { Link } from "wouter";

import type { Schemas } from "../../api/client";
import { NONE, count, duration, money, words } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Condition } from "../../parts/tags";
import { When, Zone } from "../../parts/when";
import { keepWorkspace } from "../../shell/keys";

export function Attempts({ attempts, payer }: { attempts: Schemas["AttemptRow"][]; payer: string | null }) {
  return (
    <Panel title="Requests to providers" className="attempts" aside={payer === null ? "" : "of the call that paid"}>
      {attempts.length === 0 ? (
        <p className="calm">None was needed.</p>
      ) : (
        <table className="lines">
          <thead>
            <tr>
              <th scope="col" className="number">No.</th>
              <th scope="col">At <Zone /></th>
              <th scope="col">To</th>
              <th scope="col">Ended</th>
              <th scope="col" className="number">Took</th>
              <th scope="col" className="number">Tokens</th>
              <th scope="col" className="number">Cost</th>
            </tr>
          </thead>
          <tbody>
            {attempts.map((attempt) => (
              <tr key={attempt.id}>
                <td className="number">{attempt.attempt}</td>
                <td><When at={attempt.at} ms /></td>
                <td><bdi>{attempt.target}</bdi>{attempt.items > 1 && <span className="quiet"> {attempt.items} items</span>}</td>
                <td><Condition tone={attempt.status === "ok" ? "good" : "bad"}>{words(attempt.status)}</Condition></td>
                <td className="number">{attempt.total_ms === null || attempt.total_ms === undefined ? NONE : duration(attempt.total_ms)}</td>
                <td className="number">{attempt.usage ? `${count(attempt.usage.input)} \u2192 ${count(attempt.usage.output)}` : NONE}</td>
                <td className="number">{money(attempt.cost)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {payer !== null && <p className="foot"><Link href={`/calls/${payer}${keepWorkspace()}`}>The call that paid</Link></p>}
    </Panel>
  );
}

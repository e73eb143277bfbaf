// Calls as they are told, the latest first. Standing still while somebody reads.
import { useState } from "react";
import { Link } from "wouter";

import { useSession } from "../../api/session";
import { useLive } from "../../live/store";
import type { CallRow } from "../../live/message";
import { count, duration, money } from "../../parts/format";
import { Icon } from "../../parts/icon";
import { Panel } from "../../parts/panel";
import { OUTCOMES, Outcome } from "../../parts/tags";
import { When, Zone } from "../../parts/when";
import { keepWorkspace } from "../../shell/keys";

const SHOWN = 40;

export function Tail() {
  const { calls, lost } = useLive();
  const { workspace, workspaces } = useSession();
  const [outcome, setOutcome] = useState("");
  const [text, setText] = useState("");
  const [everybody, setEverybody] = useState(true);
  const [held, hold] = useState<CallRow[] | null>(null);
  const wanted = (call: CallRow) =>
    (outcome === "" || call.outcome === outcome) &&
    (everybody || call.workspace === workspace.id) &&
    (text === "" || [call.model, call.target ?? "", call.id, ...call.tags].some((field) => field.includes(text)));
  const shown = (held ?? calls).filter(wanted).slice(0, SHOWN);
  return (
    <Panel
      title="Live calls"
      className="tail"
      aside={
        <span className="filters">
          <label className="hidden" htmlFor="tail-text">Model, tag or id</label>
          <input id="tail-text" data-filter type="search" placeholder="Model, tag or id" value={text} onChange={(event) => setText(event.target.value)} dir="auto" />
          <label className="hidden" htmlFor="tail-outcome">Outcome</label>
          <select id="tail-outcome" value={outcome} onChange={(event) => setOutcome(event.target.value)}>
            <option value="">all outcomes</option>
            {OUTCOMES.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          {workspaces.length > 1 && (
            <select aria-label="Whose calls" value={everybody ? "all" : "one"} onChange={(event) => setEverybody(event.target.value === "all")}>
              <option value="all">all workspaces</option>
              <option value="one">{workspace.name}</option>
            </select>
          )}
          <button type="button" className="button small" aria-pressed={held !== null} onClick={() => hold(held === null ? calls : null)}>
            <Icon name={held === null ? "pause" : "play"} size={12} />
            {held === null ? "Hold" : "Go on"}
          </button>
        </span>
      }
    >
      {shown.length === 0 ? (
        <p className="calm">{calls.length === 0 ? "No call was told since this page was opened." : "No call is like that."}</p>
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label="Live calls, the latest first">
          <table className="lines calls">
            <thead>
              <tr>
                <th scope="col">
                  Time <Zone />
                </th>
                <th scope="col">Outcome</th>
                <th scope="col">Model</th>
                <th scope="col">Answered by</th>
                <th scope="col" className="number">Took</th>
                <th scope="col" className="number">Cost</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((call) => (
                <tr key={call.id}>
                  <td>
                    <Link href={`/calls/${call.id}${keepWorkspace()}`}>
                      <When at={call.at} ms />
                    </Link>
                  </td>
                  <td>
                    <Outcome outcome={call.outcome} />
                  </td>
                  <td>
                    <bdi className="cut">{call.model}</bdi>
                  </td>
                  <td>
                    <bdi className="cut">{call.error ? `${call.error.code} at ${call.error.stage}` : (call.target ?? "\u2013")}</bdi>
                  </td>
                  <td className="number">{duration(call.total_ms)}</td>
                  <td className="number">{money(call.cost)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {lost > 0 && <p className="foot">{count(lost)} more were too many to show; all of them are under Calls.</p>}
    </Panel>
  );
}

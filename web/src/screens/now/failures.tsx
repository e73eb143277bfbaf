// What fails, where, whose doing it is, and whom it meets.
import { Link } from "wouter";

import type { Schemas } from "../../api/client";
import { useSession } from "../../api/session";
import { count, percent, words } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Blame, Condition } from "../../parts/tags";
import { keepWorkspace } from "../../shell/keys";

type Recent = Schemas["Sight"];

export function Failures({ recent }: { recent: Recent }) {
  const { workspaces } = useSession();
  const nameOf = (id: string) => workspaces.find((one) => one.id === id)?.name ?? id;
  return (
    <Panel title="Errors" className="failures" aside="by stage and whose doing it is">
      {recent.failures.length === 0 ? (
        <p className="calm">
          <Condition tone="good">none</Condition> in the last minutes
        </p>
      ) : (
        <table className="lines">
          <thead>
            <tr>
              <th scope="col">Error</th>
              <th scope="col">Stage</th>
              <th scope="col">Whose</th>
              <th scope="col" className="number">Calls</th>
              <th scope="col">Latest</th>
            </tr>
          </thead>
          <tbody>
            {recent.failures.map((failure) => (
              <tr key={`${failure.stage} ${failure.code} ${failure.blame}`}>
                <th scope="row">{words(failure.code)}</th>
                <td>{failure.stage}</td>
                <td>
                  <Blame blame={failure.blame} />
                </td>
                <td className="number">{count(failure.calls)}</td>
                <td>
                  <Link href={`/calls/${failure.last}${keepWorkspace()}`}>open</Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {recent.affected.length > 0 && (
        <p className="foot">
          Affected:{" "}
          {recent.affected.map(({ workspace, failed, calls }) => (
            <span key={workspace} className="affected">
              <bdi>{nameOf(workspace)}</bdi> {count(failed)} of {count(calls)} ({percent(failed, calls)})
            </span>
          ))}
        </p>
      )}
    </Panel>
  );
}

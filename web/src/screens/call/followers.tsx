// Calls that joined this one while it was in the air.
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";

import { answer, api } from "../../api/client";
import { scope, useSession } from "../../api/session";
import type { CallRow } from "../../live/message";
import { duration, money } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { When, Zone } from "../../parts/when";
import { keepWorkspace } from "../../shell/keys";

const MOST = 200;

/** Who joined came while it was in the air: between its admission and its end. */
function useFollowers(row: CallRow) {
  const session = useSession();
  const since = row.at;
  const until = new Date(Date.parse(row.at) + row.total_ms + 1_000).toISOString();
  const mayHave = row.attempts > 0 && row.payer === null;
  return useQuery({
    queryKey: ["followers", row.id],
    enabled: mayHave,
    queryFn: async ({ signal }) => {
      const where = session.role === "operator" ? { workspace: row.workspace } : scope(session);
      const query = { since, until, outcome: "joined", model: row.model, limit: MOST, ...where };
      const { calls } = await answer(api.GET("/api/v1/calls", { params: { query }, signal }));
      return calls.filter((call) => call.payer === row.id);
    },
  });
}

export function Followers({ row }: { row: CallRow }) {
  const followers = useFollowers(row);
  const calls = followers.data ?? [];
  if (calls.length === 0) return null;
  return (
    <Panel title="Joined it" className="followers" aside={`${calls.length} shared its answer`}>
      <table className="lines">
        <thead>
          <tr>
            <th scope="col">At <Zone /></th>
            <th scope="col" className="number">Took</th>
            <th scope="col" className="number">Saved</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <tr key={call.id}>
              <td>
                <Link href={`/calls/${call.id}${keepWorkspace()}`}>
                  <When at={call.at} ms />
                </Link>
              </td>
              <td className="number">{duration(call.total_ms)}</td>
              <td className="number">{money(call.saved)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

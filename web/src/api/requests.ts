// The latest requests to providers of the workspace that is looked at, as the ledger has them.
import { useQuery } from "@tanstack/react-query";

import { type Schemas, answer, api } from "./client";
import { scope, useSession } from "./session";

export type Sent = Schemas["AttemptRow"];

/** How many are looked at. */
export const MOST_SENT = 200;
const EVERY_MS = 5_000;

export function useRequests() {
  const session = useSession();
  return useQuery({
    queryKey: ["requests", session.workspace.id],
    queryFn: async ({ signal }) => {
      const query = { limit: MOST_SENT, ...scope(session) };
      const { attempts } = await answer(api.GET("/api/v1/attempts", { params: { query }, signal }));
      return attempts;
    },
    refetchInterval: EVERY_MS,
  });
}

// Every call that was written down: filtered by the server, page by page, as far as one scrolls.
import "./calls.css";

import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useSearchParams } from "wouter";

import { answer, api } from "../../api/client";
import { scope, useSession } from "../../api/session";
import { count } from "../../parts/format";
import { Empty, Problem, Waiting } from "../../parts/states";
import { Filters } from "./filters";
import { List } from "./list";
import { type Asked, isNarrowed, query, read, written } from "./asked";

const PAGE = 100;

function useCalls(asked: Asked) {
  const session = useSession();
  const [since, setSince] = useState(() => new Date());
  const fixed = useMemo(() => ({ ...query(asked, since), ...scope(session) }), [asked, since, session]);
  const calls = useInfiniteQuery({
    queryKey: ["calls", session.workspace.id, fixed],
    queryFn: ({ pageParam, signal }) => {
      const page = pageParam === "" ? {} : { cursor: pageParam };
      return answer(api.GET("/api/v1/calls", { params: { query: { ...fixed, ...page, limit: PAGE } }, signal }));
    },
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    staleTime: Infinity,
  });
  return { calls, again: () => setSince(new Date()) };
}

export default function Calls() {
  const [params, setParams] = useSearchParams();
  const asked = useMemo(() => read(params), [params]);
  const { calls, again } = useCalls(asked);
  const rows = useMemo(() => calls.data?.pages.flatMap((page) => page.calls) ?? [], [calls.data]);
  const change = (change: Partial<Asked>) => setParams((before) => written(before, change));
  const more = calls.hasNextPage ? "+" : "";
  return (
    <div className="fill">
      <h1 className="hidden">Calls</h1>
      <Filters asked={asked} change={change}>
        <span className="quiet" role="status">
          {calls.data ? `${count(rows.length)}${more} calls` : ""}
        </span>
        <button type="button" className="button small" onClick={again} disabled={calls.isFetching}>
          {calls.isFetching ? "Reading" : "Refresh"}
        </button>
      </Filters>
      {calls.isPending && <Waiting what="Reading the ledger" />}
      {calls.isError && <Problem error={calls.error} retry={() => void calls.refetch()} />}
      {calls.data && rows.length === 0 && <None asked={asked} />}
      {rows.length > 0 && (
        <List rows={rows} more={calls.hasNextPage} load={() => void (calls.isFetchingNextPage || calls.fetchNextPage())} />
      )}
    </div>
  );
}

function None({ asked }: { asked: Asked }) {
  if (isNarrowed(asked)) return <Empty title="No call is like that">Take a filter away, or look further back.</Empty>;
  return (
    <Empty title="No calls in this time">
      Point a client at this server (<code>base_url = {window.location.origin}/v1</code>), and its calls stand here.
    </Empty>
  );
}

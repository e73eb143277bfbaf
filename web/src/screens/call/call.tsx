// One call: what came of it, the way it went, and what set it apart.
import "./call.css";

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "wouter";

import { Refusal, answer, api } from "../../api/client";
import { useSession } from "../../api/session";
import { Icon } from "../../parts/icon";
import { Empty, Problem, Waiting } from "../../parts/states";
import { keepWorkspace } from "../../shell/keys";
import { Attempts } from "./attempts";
import { Bodies } from "./bodies";
import { Explained } from "./explained";
import { Facts } from "./facts";
import { Followers } from "./followers";
import { Path } from "./path";

/** A call is told a moment after its answer has ended. */
const RETRIES = 3;

function useCall(id: string) {
  const call = useQuery({
    queryKey: ["call", id],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/calls/{id}", { params: { path: { id } }, signal })),
    retry: (failures, error) => failures < RETRIES && (!(error instanceof Refusal) || error.status >= 500),
  });
  const explained = useQuery({
    queryKey: ["explain", id],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/calls/{id}/explain", { params: { path: { id } }, signal })),
    retry: false,
  });
  return { call, explained };
}

export default function Call() {
  const { id = "" } = useParams();
  const { call, explained } = useCall(id);
  const { workspaces } = useSession();
  if (call.isPending) return <Waiting what="Reading the call" />;
  if (call.isError) {
    if (call.error instanceof Refusal && call.error.status === 404) {
      return (
        <Empty whole title="No such call">
          Nobody knows <code>{id}</code>, or it is of a workspace you cannot see. <Link href={`/calls${keepWorkspace()}`}>All calls</Link>
        </Empty>
      );
    }
    return <Problem error={call.error} retry={() => void call.refetch()} />;
  }
  const { call: row, attempts, bodies } = call.data;
  const place = workspaces.find((one) => one.id === row.workspace)?.name ?? row.workspace;
  return (
    <article className="call">
      <Link href={`/calls${keepWorkspace()}`} className="back">
        <Icon name="back" size={14} /> Calls
      </Link>
      <Facts row={row} workspace={place} />
      <div className="grid">
        <Path row={row} stages={explained.data?.stages ?? []} pending={explained.isPending} />
        <Explained row={row} explained={explained.data ?? null} error={explained.error} />
        <Attempts attempts={attempts} payer={row.payer ?? null} />
        <Followers row={row} />
        <Bodies row={row} bodies={bodies ?? null} />
      </div>
    </article>
  );
}

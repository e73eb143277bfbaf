// Keys of a workspace: made, rotated, revoked. A secret is shown once and kept nowhere.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type Schemas, answer, api } from "../../api/client";
import { useSession } from "../../api/session";
import { Dialog } from "../../parts/dialog";
import { NONE } from "../../parts/format";
import { Panel, Wide } from "../../parts/panel";
import { Empty, Problem, Waiting } from "../../parts/states";
import { Condition } from "../../parts/tags";
import { When } from "../../parts/when";
import { MakeKey } from "./make";
import { Secret } from "./secret";

type Key = Schemas["KeyShown"];
type Made = Schemas["KeyMade"];

export default function Keys() {
  const session = useSession();
  const client = useQueryClient();
  const [made, setMade] = useState<Made | null>(null);
  const keys = useQuery({ queryKey: ["keys"], queryFn: ({ signal }) => answer(api.GET("/api/v1/keys", { signal })) });
  const changed = () => client.invalidateQueries({ queryKey: ["keys"] });
  const own = keys.data?.keys.filter((key) => key.workspace === session.workspace.id) ?? [];
  return (
    <div className="screen">
      <h1 className="hidden">Keys</h1>
      {session.me.kind === "anybody" && (
        <p className="banner warn">
          From the first key on every request needs one, this console too: first make yourself an account with{" "}
          <code>tidegate user create NAME --role operator</code>.
        </p>
      )}
      <MakeKey made={setMade} />
      <Panel title="Keys" aside={session.workspace.name}>
        {keys.isPending && <Waiting what="Reading the keys" />}
        {keys.isError && <Problem error={keys.error} retry={() => void keys.refetch()} />}
        {keys.data && own.length === 0 && <Empty title="No keys in this workspace">Programs need one as soon as the server has any.</Empty>}
        {own.length > 0 && <List keys={own} made={setMade} changed={() => void changed()} />}
      </Panel>
      {made !== null && (
        <Secret
          made={made}
          close={() => {
            setMade(null);
            // The first key closes the door behind whoever made it: only now, as the secret has been seen.
            void client.invalidateQueries({ queryKey: ["me"] });
            void changed();
          }}
        />
      )}
    </div>
  );
}

interface ListProps {
  keys: Key[];
  made: (made: Made) => void;
  changed: () => void;
}

function List({ keys, made, changed }: ListProps) {
  const [asking, ask] = useState<{ what: "rotate" | "revoke"; key: Key } | null>(null);
  const rotate = useMutation({
    mutationFn: (id: string) => answer(api.POST("/api/v1/keys/{id}/rotate", { params: { path: { id } }, body: {} })),
    onSuccess: made,
    onSettled: () => ask(null),
  });
  const revoke = useMutation({
    mutationFn: (id: string) => answer(api.POST("/api/v1/keys/{id}/revoke", { params: { path: { id } } })),
    onSuccess: changed,
    onSettled: () => ask(null),
  });
  const error = rotate.error ?? revoke.error;
  return (
    <>
      {error !== null && <Problem error={error} />}
      <Wide label="List of keys">
        <table className="lines">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Begins with</th>
              <th scope="col">Role</th>
              <th scope="col">For</th>
              <th scope="col">Made</th>
              <th scope="col">Until</th>
              <th scope="col">State</th>
              <th scope="col">
                <span className="hidden">What can be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <tr key={key.id}>
                <th scope="row"><bdi>{key.name}</bdi></th>
                <td><code>tg_{key.short}</code></td>
                <td>{key.role}</td>
                <td><bdi>{scopeOf(key)}</bdi></td>
                <td><When at={key.created_at} full /></td>
                <td>{key.expires_at ? <When at={key.expires_at} full /> : NONE}</td>
                <td><State of={key} /></td>
                <td className="number">
                  {isTaken(key) && (
                    <>
                      <button type="button" className="button small" onClick={() => ask({ what: "rotate", key })}>Rotate</button>{" "}
                      <button type="button" className="button small" onClick={() => ask({ what: "revoke", key })}>Revoke</button>
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      {asking?.what === "rotate" && (
        <Dialog title={`Rotate ${asking.key.name}?`} close={() => ask(null)} action={{ label: "Rotate", run: () => rotate.mutate(asking.key.id), busy: rotate.isPending }}>
          <p>A new key takes its place, shown once. The old one is taken for a day more, so that programs can change over.</p>
        </Dialog>
      )}
      {asking?.what === "revoke" && (
        <Dialog title={`Revoke ${asking.key.name}?`} close={() => ask(null)} action={{ label: "Revoke", run: () => revoke.mutate(asking.key.id), busy: revoke.isPending }}>
          <p>
            No request with <code>tg_{asking.key.short}</code> is taken any more, from the next one on. This cannot be taken back.
          </p>
        </Dialog>
      )}
    </>
  );
}

function scopeOf(key: Key): string {
  const parts = [...(key.doors ?? []), ...(key.models ?? [])];
  return parts.length === 0 ? "everything" : parts.join(", ");
}

function isTaken(key: Key): boolean {
  const isOver = key.expires_at !== null && key.expires_at !== undefined && Date.parse(key.expires_at) <= Date.now();
  return !isOver && (key.revoked_at === null || key.revoked_at === undefined);
}

function State({ of }: { of: Key }) {
  if (of.revoked_at) return <Condition tone="none">revoked</Condition>;
  return isTaken(of) ? <Condition tone="good">taken</Condition> : <Condition tone="none">ended</Condition>;
}

// Forgets answers: first counted, then named and asked again, then done.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { type Schemas, answer, api } from "../../api/client";
import { scope, useSession } from "../../api/session";
import { Dialog } from "../../parts/dialog";
import { exactly, plural } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Problem } from "../../parts/states";

const WHAT = { model: "of the model", tag: "with the tag", key: "with the key", all: "of the workspace" } as const;
type What = keyof typeof WHAT;

export function Purge() {
  const session = useSession();
  const [what, setWhat] = useState<What>("model");
  const [which, setWhich] = useState("");
  const filter = (dry_run: boolean): Schemas["PurgeRequest"] => {
    const named = what === "all" ? { workspace: session.workspace.id } : { [what]: which.trim() };
    return { ...scope(session), ...named, dry_run };
  };
  const purge = (dry_run: boolean) => answer(api.POST("/api/v1/cache/purge", { body: filter(dry_run) }));
  const counted = useMutation({ mutationFn: () => purge(true) });
  const done = useMutation({ mutationFn: () => purge(false), onSuccess: () => counted.reset() });
  const named = what === "all" ? WHAT.all : `${WHAT[what]} ${which.trim()}`;
  const error = counted.error ?? done.error;
  return (
    <Panel title="Forget answers" aside="counted first; nothing goes before you say so">
      <form
        className="inline"
        onSubmit={(event) => {
          event.preventDefault();
          done.reset();
          counted.mutate();
        }}
      >
        <label>
          Answers
          <select value={what} onChange={(event) => setWhat(event.target.value as What)}>
            {Object.entries(WHAT).map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        {what !== "all" && (
          <label>
            {what === "key" ? "Key, as x-tidegate-key gave it" : "Name"}
            <input value={which} onChange={(event) => setWhich(event.target.value)} required dir="auto" spellCheck={false} />
          </label>
        )}
        <button type="submit" className="button" disabled={counted.isPending}>
          Count them
        </button>
      </form>
      {error !== null && <Problem error={error} />}
      <p className="calm" role="status">
        {done.data ? `${plural(done.data.purged, "answer")} forgotten.` : ""}
        {counted.data?.purged === 0 ? `No answer ${named} is kept.` : ""}
      </p>
      {counted.data && counted.data.purged > 0 && (
        <Dialog
          title={`Forget ${plural(counted.data.purged, "answer")}?`}
          close={() => counted.reset()}
          action={{ label: `Forget ${exactly(counted.data.purged)}`, run: () => done.mutate(), busy: done.isPending }}
        >
          <p>
            All answers <b><bdi>{named}</bdi></b> in the workspace <b><bdi>{session.workspace.name}</bdi></b> go, from memory and from disk.
            The next equal call asks the provider again, and pays. This cannot be taken back.
          </p>
        </Dialog>
      )}
    </Panel>
  );
}

// Makes a key.
import { useMutation } from "@tanstack/react-query";
import { type SyntheticEvent } from "react";

import { type Schemas, answer, api } from "../../api/client";
import { may, useSession } from "../../api/session";
import { Panel } from "../../parts/panel";
import { Problem } from "../../parts/states";

const DAY_S = 86_400;

export function MakeKey({ made }: { made: (made: Schemas["KeyMade"]) => void }) {
  const session = useSession();
  const make = useMutation({
    mutationFn: (body: Schemas["KeyRequest"]) => answer(api.POST("/api/v1/keys", { body })),
    onSuccess: made,
  });
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string) => {
      const value = fields.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    const models = text("models").split(",").map((name) => name.trim()).filter((name) => name !== "");
    const days = Number(text("days"));
    make.mutate({
      name: text("name"),
      role: text("role"),
      workspace: session.workspace.id,
      ...(models.length > 0 ? { models } : {}),
      ...(days > 0 ? { lifetime_s: Math.round(days * DAY_S) } : {}),
    });
    event.currentTarget.reset();
  };
  const roles = (["write", "read", "admin", "operator"] as const).filter((role) => may(session.role, role));
  return (
    <Panel title="New key">
      <form className="inline" onSubmit={submit}>
        <label>
          Name
          <input name="name" required placeholder="what people will call it" dir="auto" />
        </label>
        <label>
          Role
          <select name="role">
            {roles.map((role) => (
              <option key={role}>{role}</option>
            ))}
          </select>
        </label>
        <label>
          Models, with commas
          <input name="models" placeholder="all, or gpt-4o*, o4-mini" spellCheck={false} />
        </label>
        <label>
          Days it is taken
          <input name="days" type="number" min="1" max="3650" placeholder="for good" />
        </label>
        <button type="submit" className="button" disabled={make.isPending}>
          Make it
        </button>
      </form>
      {make.isError && <Problem error={make.error} />}
    </Panel>
  );
}

// Lets somebody in, and then to where they were going: the address stays as it is.
import { useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";

import { type Me, signIn } from "../../api/session";
import mark from "../../shell/mark.svg";

export function SignIn({ me }: { me: Me }) {
  const client = useQueryClient();
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string) => {
      const value = fields.get(name);
      return typeof value === "string" ? value : "";
    };
    setBusy(true);
    signIn(text("username"), text("password"))
      .then(() => client.invalidateQueries())
      .catch((error: unknown) => setFault(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };
  return (
    <main className="alone">
      <form className="card" onSubmit={submit} aria-labelledby="sign-in">
        <img src={mark} alt="" width="36" height="36" />
        <h1 id="sign-in">Sign in to Tidegate</h1>
        <label>
          Name or e-mail address
          <input name="username" autoComplete="username" required autoFocus dir="auto" />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <p className="fault" role="alert">
          {fault}
        </p>
        <button type="submit" className="button primary" disabled={busy}>
          {busy ? "Signing in" : "Sign in"}
        </button>
        <p className="hint">
          {me.demo ? (
            <>
              To try things: <code>test_user</code> with <code>test_password</code>.
            </>
          ) : (
            <>
              No account? On the server: <code>tidegate user create NAME --role read</code>
            </>
          )}
        </p>
      </form>
    </main>
  );
}

// Who looks at which screen. Owns the session around the screens and their addresses; must not know what a screen shows.
import { useQuery } from "@tanstack/react-query";
import { Suspense, useEffect, useMemo } from "react";
import { Route, Router, Switch, useSearchParams } from "wouter";

import { answer, api, setPlace } from "./api/client";
import { type Me, type Role, type Session, SessionContext, may, useMe } from "./api/session";
import { listen } from "./live/store";
import { Empty, Problem, Waiting } from "./parts/states";
import { CALL as Call, SCREENS } from "./screens";
import { SignIn } from "./screens/sign_in/sign_in";
import { Shell } from "./shell/shell";

export function App() {
  return (
    <Router base="/console">
      <Door />
    </Router>
  );
}

/** Lets in who may come in, and asks the others to sign in where they were going. */
function Door() {
  const me = useMe();
  if (me.isPending) return <Waiting what="Asking the server who you are" />;
  if (me.isError) {
    return (
      <main className="alone">
        <Problem error={me.error} retry={() => void me.refetch()} />
      </main>
    );
  }
  if (me.data.workspace === null || me.data.workspace === undefined) return <SignIn me={me.data} />;
  return <Inside me={me.data} home={me.data.workspace} />;
}

interface InsideProps {
  me: Me;
  home: { id: string; name: string; role: string };
}

function Inside({ me, home }: InsideProps) {
  const session = useWorkspace(me, home);
  // A person's other workspaces are named in requests; operators see all from where they are.
  const place = session.role === "operator" || session.workspace.id === home.id ? "" : session.workspace.name;
  setPlace(place);
  useEffect(() => listen(place), [place]);
  return (
    <SessionContext value={session}>
      <Shell>
        <Suspense fallback={<Waiting what="Loading this screen" />}>
          <Screens session={session} />
        </Suspense>
      </Shell>
    </SessionContext>
  );
}

function Screens({ session }: { session: Session }) {
  return (
    <Switch>
      {SCREENS.filter((screen) => may(session.role, screen.role)).map(({ path, view: View }) => (
        <Route key={path} path={path}>
          <View />
        </Route>
      ))}
      <Route path="/calls/:id">
        <Call />
      </Route>
      {SCREENS.filter((screen) => !may(session.role, screen.role)).map(({ path, title, role }) => (
        <Route key={path} path={path}>
          <Empty whole title={`${title} needs the role ${role}`}>
            You are here as {session.role} of {session.workspace.name}. An admin of the workspace can grant you more.
          </Empty>
        </Route>
      ))}
      <Route>
        <Empty whole title="No such screen">
          Nothing is at <code>{window.location.pathname}</code>. Press <kbd>?</kbd> for what there is.
        </Empty>
      </Route>
    </Switch>
  );
}

/** The workspace in the address, or one's own. */
function useWorkspace(me: Me, home: InsideProps["home"]): Session {
  const [params, setParams] = useSearchParams();
  const isOperator = home.role === "operator";
  const all = useQuery({
    queryKey: ["workspaces"],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/workspaces", { signal })),
    enabled: isOperator,
    staleTime: 60_000,
  });
  const asked = params.get("ws");
  return useMemo(() => {
    const known = isOperator ? (all.data?.workspaces ?? [home]) : me.workspaces;
    const place = me.workspaces.find((place) => place.id === asked);
    const workspace = known.find((one) => one.id === asked) ?? home;
    const role = (isOperator ? "operator" : (place ?? home).role) as Role;
    const choose = (id: string) =>
      setParams((before) => {
        const next = new URLSearchParams(before);
        if (id === home.id) next.delete("ws");
        else next.set("ws", id);
        return next;
      });
    return { me, role, workspace, workspaces: known, choose };
  }, [me, home, isOperator, all.data, asked, setParams]);
}

// The frame around every screen: where one can go, where one is, and whether what is seen is of now.
import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";

import { may, signOut, useSession } from "../api/session";
import { Icon } from "../parts/icon";
import { setUtc, useUtc, zoneName } from "../parts/when";
import { SCREENS } from "../screens";
import { Help } from "./help";
import { keepWorkspace, useKeys } from "./keys";
import mark from "./mark.svg";
import { Banner, LiveStatus } from "./status";
import { nextTheme, useTheme } from "./theme";

export function Shell({ children }: { children: ReactNode }) {
  const [helping, help] = useState(false);
  const show = useCallback(() => help(true), []);
  useKeys(show);
  const main = useRef<HTMLElement>(null);
  const [path] = useLocation();
  useEffect(() => {
    const screen = SCREENS.find((screen) => screen.path === path);
    document.title = `${screen?.title ?? "Call"} \u00b7 Tidegate`;
  }, [path]);
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={() => main.current?.focus()}>
        Skip to the screen
      </a>
      <Rail path={path} />
      <div className="stage">
        <Top help={show} />
        <Banner />
        <main id="main" ref={main} tabIndex={-1}>
          {children}
        </main>
      </div>
      <Help open={helping} close={() => help(false)} />
    </div>
  );
}

function Rail({ path }: { path: string }) {
  const { role } = useSession();
  const rail = useRef<HTMLElement>(null);
  // On a phone not all of them are in sight.
  useEffect(() => {
    rail.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [path]);
  const isHere = (at: string) => (at === "/" ? path === "/" : path.startsWith(at));
  return (
    <nav ref={rail} className="rail" aria-label="Screens">
      <Link href={`/${keepWorkspace()}`} className="brand">
        <img src={mark} alt="" width="24" height="24" />
        <span>Tidegate</span>
      </Link>
      <ul>
        {SCREENS.filter((screen) => may(role, screen.role)).map((screen) => (
          <li key={screen.path}>
            <Link href={`${screen.path}${keepWorkspace()}`} aria-current={isHere(screen.path) ? "page" : undefined}>
              <Icon name={screen.icon} />
              <span>{screen.title}</span>
              <kbd aria-hidden="true">g {screen.key}</kbd>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Top({ help }: { help: () => void }) {
  const session = useSession();
  const theme = useTheme();
  const utc = useUtc();
  const THEME = { system: "half", light: "sun", dark: "moon" } as const;
  return (
    <header className="top">
      <label className="workspace">
        <span>Workspace</span>
        <select value={session.workspace.id} onChange={(event) => session.choose(event.target.value)}>
          {session.workspaces.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <span className="grow" />
      <LiveStatus />
      <button type="button" className="quiet" onClick={() => setUtc(!utc)} aria-label={`Times in ${zoneName(utc)}; switch`}>
        {zoneName(utc)}
      </button>
      <button type="button" className="quiet" onClick={nextTheme} aria-label={`Colours: ${theme}; switch`} title={`Colours: ${theme} (t)`}>
        <Icon name={THEME[theme]} />
      </button>
      <button type="button" className="quiet" onClick={help} aria-label="Keys" title="Keys (?)">
        <Icon name="keys" />
      </button>
      <Who />
    </header>
  );
}

function Who() {
  const { me, role } = useSession();
  if (me.user === null || me.user === undefined) {
    return me.kind === "anybody" ? (
      <span className="who" title="There are no keys and people yet, so whoever is on this machine may do everything">
        this machine
      </span>
    ) : null;
  }
  // Nothing that was seen stays in memory.
  const leave = () => void signOut().finally(() => window.location.reload());
  return (
    <span className="who">
      <bdi>{me.user.username}</bdi> <span className="role">{role}</span>
      <button type="button" className="quiet" onClick={leave} aria-label="Sign out" title="Sign out">
        <Icon name="out" />
      </button>
    </span>
  );
}

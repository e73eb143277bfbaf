// What stands where data would: nothing yet, nothing at all, or why not. Owns the words for a refusal.
import type { ReactNode } from "react";

import { Refusal } from "../api/client";
import { Icon } from "./icon";

export function Waiting({ what }: { what: string }) {
  return (
    <div className="waiting" role="status">
      <span className="dots" aria-hidden="true" />
      {what}
    </div>
  );
}

/** Of a whole screen, its heading is the screen's. */
export function Empty({ title, whole = false, children }: { title: string; whole?: boolean; children?: ReactNode }) {
  const Heading = whole ? "h1" : "h2";
  return (
    <div className="empty">
      <Heading>{title}</Heading>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

function headline(error: unknown): string {
  if (!(error instanceof Refusal)) return "The console failed here";
  if (error.status === 0) return "The server is away";
  if (error.status === 401) return "Not signed in";
  if (error.status === 403) return "Not allowed here";
  if (error.status === 404) return "Not there";
  if (error.status === 503) return "Not available now";
  return "The server refused";
}

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="problem" role="alert">
      <Icon name="alert" size={20} />
      <div>
        <h2>{headline(error)}</h2>
        <p dir="auto">{error instanceof Error ? error.message : String(error)}</p>
        {retry !== undefined && (
          <button type="button" className="button" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

// What was asked and told, where that is kept. Text, and never more than a screen can hold at once.
import { useState } from "react";

import type { Schemas } from "../../api/client";
import { may, useSession } from "../../api/session";
import type { CallRow } from "../../live/message";
import { bytes } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Copy } from "../../parts/copy";

type Body = Schemas["BodyShown"];
const SHOWN = 20_000;

const PATHS: Record<string, string> = {
  "openai.chat": "/v1/chat/completions",
  "openai.embeddings": "/v1/embeddings",
  "anthropic.messages": "/v1/messages",
};

/** For a shell: single quotes hold everything but themselves. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl(path: string, request: string): string {
  return [`curl -sS ${window.location.origin}${path}`, "-H 'content-type: application/json'", '-H "authorization: Bearer $TIDEGATE_KEY"', `-d ${quoted(request)}`].join(" \\\n  ");
}

export function Bodies({ row, bodies }: { row: CallRow; bodies: Schemas["BodiesShown"] | null }) {
  const session = useSession();
  if (bodies === null) {
    return (
      <Panel title="Request and answer" className="bodies">
        <p className="calm">
          {may(session.role, "write") ? (
            <>
              Not kept. <code>tidegate workspace set NAME --keep-bodies 30</code> keeps what calls ask and are told for 30 days, keys
              masked.
            </>
          ) : (
            "What calls ask and are told needs the role write."
          )}
        </p>
      </Panel>
    );
  }
  const request = bodies.request.text;
  const path = PATHS[row.door];
  return (
    <Panel title="Request and answer" className="bodies" aside={request && path ? <Copy text={curl(path, request)} what="call" label="Copy as curl" /> : ""}>
      <div className="pair">
        <Shown title="Asked" body={bodies.request} />
        {bodies.answer ? <Shown title="Told" body={bodies.answer} /> : <p className="quiet">The answer is not kept: there was none, or it was too long.</p>}
      </div>
    </Panel>
  );
}

function pretty(text: string): string {
  if (text.length > SHOWN * 10) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Shown({ title, body }: { title: string; body: Body }) {
  const [whole, setWhole] = useState(false);
  const text = body.text === null || body.text === undefined ? (body.base64 ?? "") : pretty(body.text);
  const isLong = text.length > SHOWN && !whole;
  return (
    <figure>
      <figcaption>
        {title} <span className="quiet">{bytes(body.bytes)}{body.text === null ? ", no text: base64" : ""}</span>
        <span className="grow" />
        <Copy text={body.text ?? body.base64 ?? ""} what={title.toLowerCase()} />
      </figcaption>
      <pre dir="auto" tabIndex={0}>{isLong ? text.slice(0, SHOWN) : text}</pre>
      {isLong && (
        <button type="button" className="button small" onClick={() => setWhole(true)}>
          Show all {bytes(text.length)}
        </button>
      )}
    </figure>
  );
}

// Sends a chat to any model, as a client would, and shows the way it took. The same twice shows the hit.
import "./playground.css";

import { type SyntheticEvent, useState } from "react";
import { Link, useSearchParams } from "wouter";

import { useModels } from "../../api/models";
import { NONE, duration } from "../../parts/format";
import { Panel } from "../../parts/panel";
import { Empty, Problem } from "../../parts/states";
import { Outcome } from "../../parts/tags";
import { keepWorkspace } from "../../shell/keys";
import { type Asked, type Run, send } from "./send";

const MOST_RUNS = 20;

export default function Playground() {
  const models = useModels();
  const names = models.data?.map(({ id }) => id) ?? [];
  const [params] = useSearchParams();
  const wanted = params.get("model") ?? names[0];
  const [runs, setRuns] = useState<Run[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string) => {
      const value = fields.get(name);
      return typeof value === "string" ? value : "";
    };
    const asked: Asked = {
      model: text("model"),
      system: text("system"),
      prompt: text("prompt"),
      stream: text("stream") === "on",
      declared: text("declared") === "on",
      fresh: text("fresh") === "on",
    };
    setBusy(true);
    setError(null);
    const show = (run: Run) => setRuns((before) => [run, ...before.filter((one) => one.number !== run.number)].slice(0, MOST_RUNS));
    send(asked, (runs[0]?.number ?? 0) + 1, show)
      .catch(setError)
      .finally(() => setBusy(false));
  };
  return (
    <div className="screen playground">
      <h1 className="hidden">Playground</h1>
      <Panel title="Ask" aside="sent as any client would send it">
        <form onSubmit={submit}>
          <div className="inline">
            <label>
              Model
              <input name="model" list="models" required defaultValue={wanted ?? "gpt-4o-mini"} key={wanted} spellCheck={false} />
              <datalist id="models">
                {names.map((name) => <option key={name} value={name} />)}
              </datalist>
            </label>
            <label className="tick">
              <input type="checkbox" name="declared" defaultChecked /> temperature 0: may be remembered
            </label>
            <label className="tick">
              <input type="checkbox" name="stream" /> stream
            </label>
            <label className="tick">
              <input type="checkbox" name="fresh" /> no-cache: a new answer
            </label>
          </div>
          <label className="block">
            System
            <input name="system" placeholder="nothing" dir="auto" />
          </label>
          <label className="block">
            Prompt
            <textarea name="prompt" rows={4} required defaultValue="Why is the sea salty?" dir="auto" />
          </label>
          <div className="actions">
            <button type="submit" className="button primary" disabled={busy}>
              {busy ? "Asking" : "Send"}
            </button>
          </div>
        </form>
        {error !== null && <Problem error={error} />}
      </Panel>
      <Panel title="Answers" aside={runs.length > 0 ? "the latest first" : ""}>
        {runs.length === 0 && <Empty title="Nothing was asked yet">Send the same twice: the second comes from memory, byte for byte.</Empty>}
        <ol className="runs">
          {runs.map((run) => (
            <li key={run.number}>
              <p className="told">
                <b>{run.number}</b>
                {run.outcome === "" ? <span className="quiet">{run.done ? NONE : "asking"}</span> : <Outcome outcome={run.outcome} />}
                <span className="quiet">{run.status}</span>
                <span>{run.done ? duration(run.tookMs) : ""}</span>
                {run.firstMs !== null && <span className="quiet">first byte {duration(run.firstMs)}</span>}
                {run.timing !== "" && <span className="quiet">ours {run.timing}</span>}
                <bdi className="quiet">{run.provider}</bdi>
                {run.id !== "" && <Link href={`/calls/${run.id}${keepWorkspace()}`}>the way it took</Link>}
              </p>
              <pre dir="auto">{run.text}</pre>
            </li>
          ))}
        </ol>
      </Panel>
    </div>
  );
}

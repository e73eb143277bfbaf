// One chat, sent as a client would, read as it comes. Owns the fields of OpenAI's form that this screen uses.
import { Refusal, currentPlace } from "../../api/client";

export interface Asked {
  model: string;
  system: string;
  prompt: string;
  stream: boolean;
  declared: boolean;
  fresh: boolean;
}

export interface Run {
  number: number;
  id: string;
  status: number;
  outcome: string;
  provider: string;
  /** What the server added itself, as it said so. */
  timing: string;
  firstMs: number | null;
  tookMs: number;
  text: string;
  done: boolean;
}

function headers(asked: Asked): Record<string, string> {
  const sent: Record<string, string> = { "content-type": "application/json", "x-tidegate-csrf": "1" };
  if (currentPlace() !== "") sent["x-tidegate-workspace"] = currentPlace();
  if (asked.fresh) sent["cache-control"] = "no-cache";
  return sent;
}

function bodyOf(asked: Asked): string {
  const system = asked.system === "" ? [] : [{ role: "system", content: asked.system }];
  const messages = [...system, { role: "user", content: asked.prompt }];
  return JSON.stringify({
    model: asked.model,
    messages,
    ...(asked.declared ? { temperature: 0 } : {}),
    ...(asked.stream ? { stream: true } : {}),
  });
}

export async function send(asked: Asked, number: number, show: (run: Run) => void): Promise<void> {
  const began = performance.now();
  const answer = await fetch("/v1/chat/completions", { method: "POST", headers: headers(asked), body: bodyOf(asked) }).catch(() => {
    throw new Refusal(0, "away", "the server does not answer");
  });
  const field = (name: string) => answer.headers.get(name) ?? "";
  const timing = /dur=([0-9.]+)/.exec(field("server-timing"))?.[1];
  let run: Run = {
    number,
    id: field("x-request-id"),
    status: answer.status,
    outcome: field("x-tidegate-cache").split(";")[0]?.trim() ?? "",
    provider: [field("x-tidegate-provider"), field("x-tidegate-model")].filter((name) => name !== "").join("/"),
    timing: timing === undefined ? "" : `${timing} ms`,
    firstMs: null,
    tookMs: 0,
    text: "",
    done: false,
  };
  const change = (next: Partial<Run>) => {
    run = { ...run, ...next };
    show(run);
  };
  change({ firstMs: performance.now() - began });
  if (asked.stream && answer.ok && answer.body !== null) {
    await streamed(answer.body, (text) => change({ text: run.text + text }));
  } else {
    change({ text: said(await answer.text()) });
  }
  change({ tookMs: performance.now() - began, done: true });
}

async function streamed(body: ReadableStream<Uint8Array>, told: (text: string) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.replace(/^data: /, "");
      if (data === "[DONE]") continue;
      const chunk = JSON.parse(data) as { choices?: { delta?: { content?: string } }[]; error?: { message?: string } };
      told(chunk.choices?.[0]?.delta?.content ?? chunk.error?.message ?? "");
    }
  }
}

/** What an answer says; what cannot be read as one is shown as it is. */
function said(text: string): string {
  try {
    const body = JSON.parse(text) as { choices?: { message?: { content?: string } }[]; error?: { message?: string } };
    return body.choices?.[0]?.message?.content ?? body.error?.message ?? text;
  } catch {
    return text;
  }
}

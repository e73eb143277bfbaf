// A server of one test file, in a folder of its own on a free port, and traffic for it. Owns starting and stopping.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = process.env.TIDEGATE_BIN;
const PATIENCE_MS = 30_000;

/** Ready once the program has printed where it listens. */
export class Server {
  constructor(toml = "", args = []) {
    this.folder = mkdtempSync(join(tmpdir(), "tidegate-ui-"));
    writeFileSync(join(this.folder, "tidegate.toml"), toml);
    this.args = args;
    this.port = 0;
  }

  async start() {
    if (!BIN) throw new Error("TIDEGATE_BIN names no program; make ui sets it");
    const args = ["serve", "--port", String(this.port), ...this.args];
    this.process = spawn(BIN, args, { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
    let told = "";
    let log = "";
    this.process.stderr.on("data", (text) => (log += text));
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no address in ${told}${log}`)), PATIENCE_MS);
      this.process.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${told}${log}`)));
      this.process.stdout.on("data", (text) => {
        told += text;
        const address = told.match(/http:\/\/127\.0\.0\.1:(\d+)/);
        if (!address) return;
        clearTimeout(late);
        this.port = Number(address[1]);
        resolve();
      });
    });
    this.process.removeAllListeners("exit");
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
    return this;
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends the process; what it kept stays until `remove`. */
  async stop() {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  async remove() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A command of the program, beside the server; gives what it printed. */
  async command(args, input = "") {
    const child = spawn(BIN, args, { cwd: this.folder, stdio: ["pipe", "pipe", "pipe"] });
    let told = "";
    child.stdout.on("data", (text) => (told += text));
    child.stderr.on("data", (text) => (told += text));
    child.stdin.end(input);
    const code = await new Promise((resolve) => child.on("exit", resolve));
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${told}`);
    return told.trim();
  }

  async post(path, body, headers = {}) {
    const answer = await fetch(`${this.address}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    await answer.arrayBuffer();
    return answer;
  }

  chat(content, more = {}, headers = {}) {
    const body = { model: "gpt-4o-mini", temperature: 0, messages: [{ role: "user", content }], ...more };
    return this.post("/v1/chat/completions", body, headers);
  }
}

/** A provider that answers as it is told to, with a price and a pace. */
export async function provider() {
  const upstream = createServer((request, answer) => {
    let text = "";
    request.on("data", (piece) => (text += piece));
    request.on("end", () => {
      const asked = JSON.parse(text || "{}");
      if (upstream.isBroken) {
        answer.writeHead(500, { "content-type": "application/json" });
        answer.end('{"error":{"message":"out of order","type":"server_error","param":null,"code":null}}');
        return;
      }
      const said = upstream.says?.(asked) ?? `You asked: ${asked.messages?.at(-1)?.content ?? ""}`;
      const usage = { prompt_tokens: 220, completion_tokens: 84, total_tokens: 304 };
      const head = { id: "chatcmpl-1", created: 1, model: asked.model };
      const later = (write) => setTimeout(write, upstream.delay);
      if (asked.input !== undefined) {
        const inputs = [asked.input].flat();
        const data = inputs.map((_, index) => ({ object: "embedding", index, embedding: [0.1, 0.2, 0.3] }));
        later(() => reply({ object: "list", data, model: asked.model, usage: { prompt_tokens: inputs.length * 9, total_tokens: inputs.length * 9 } }));
      } else if (asked.stream) {
        later(() => {
          answer.writeHead(200, { "content-type": "text/event-stream" });
          const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
          answer.write(chunk({ role: "assistant", content: said }));
          later(() => answer.end(`${chunk({}, "stop")}data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })}\n\ndata: [DONE]\n\n`));
        });
      } else {
        later(() => reply({ ...head, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: said }, finish_reason: "stop" }], usage }));
      }
      function reply(body) {
        answer.writeHead(200, { "content-type": "application/json" });
        answer.end(JSON.stringify(body));
      }
    });
  });
  upstream.delay = 40;
  upstream.isBroken = false;
  await new Promise((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  upstream.toml = `[providers.openai]\nkind = "openai"\nauth = "none"\nbase_url = "http://127.0.0.1:${upstream.address().port}/v1"\n`;
  return upstream;
}

// How the console asks the server: typed by docs/openapi.json, so that a changed path does not compile. Owns the cookie's
// guard against other sites, the one renewal of a session that ran out, and what a refusal is.
import createClient, { type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** Why the server did not do what it was asked. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly blame: string;

  constructor(status: number, code: string, message: string, blame = "") {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
    this.blame = blame;
  }
}

const AWAY = "the server does not answer; it is stopped, restarting, or the network is cut";

/** Where requests are made for, where that is not one's first workspace. */
let place = "";
export function setPlace(name: string): void {
  place = name;
}
export function currentPlace(): string {
  return place;
}

let renewing: Promise<boolean> | null = null;

/** Lets a session of a cookie go on, once for all requests that found it ended. */
export function renew(): Promise<boolean> {
  renewing ??= fetch("/api/v1/auth/refresh", {
    method: "POST",
    headers: { "content-type": "application/json", "x-tidegate-csrf": "1" },
    body: "{}",
  })
    .then((answer) => answer.ok)
    .catch(() => false)
    .finally(() => {
      renewing = null;
    });
  return renewing;
}

const listeners = new Set<() => void>();
/** Tells when a request found nobody signed in. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function send(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await fetch(request).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, "away", AWAY);
  });
  if (answer.status !== 401 || request.url.includes("/auth/")) return answer;
  if (await renew()) return fetch(again);
  listeners.forEach((listener) => listener());
  return answer;
}

const guard: Middleware = {
  onRequest({ request }) {
    request.headers.set("x-tidegate-csrf", "1");
    if (place !== "") request.headers.set("x-tidegate-workspace", place);
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });
api.use(guard);

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was answered; a refusal is thrown. */
export async function answer<T>(asked: Promise<Answered<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok) return data as T;
  throw refusal(response.status, error);
}

export function refusal(status: number, body: unknown): Refusal {
  const told = (body as { error?: { message?: string; code?: string | null; blame?: string } } | undefined)?.error;
  const message = told?.message ?? `the server answered ${status} and did not say why`;
  return new Refusal(status, told?.code ?? String(status), message, told?.blame);
}

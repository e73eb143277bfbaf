// Who looks, what they may, and where. Owns signing in and out; must not know what a screen shows.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect } from "react";

import { type Schemas, answer, api, onSignedOut, refusal } from "./client";

export type Me = Schemas["Me"];
export type Role = "read" | "write" | "admin" | "operator";

const ORDER: readonly Role[] = ["read", "write", "admin", "operator"];

export function useMe() {
  const client = useQueryClient();
  useEffect(() => onSignedOut(() => void client.invalidateQueries({ queryKey: ["me"] })), [client]);
  return useQuery({
    queryKey: ["me"],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/auth/me", { signal })),
    staleTime: 60_000,
    retry: 1,
  });
}

/** Who looks, once that is known. */
export interface Session {
  me: Me;
  role: Role;
  /** The workspace that is looked at. */
  workspace: { id: string; name: string };
  /** Those that could be. */
  workspaces: { id: string; name: string }[];
  choose: (id: string) => void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("a screen stands inside a session");
  return session;
}

export function may(role: string, needed: Role): boolean {
  return ORDER.indexOf(role as Role) >= ORDER.indexOf(needed);
}

/** The workspace parameter of a list: only operators name one, others are where their request is. */
export function scope(session: Session): { workspace?: string } {
  return session.role === "operator" ? { workspace: session.workspace.id } : {};
}

export async function signIn(username: string, password: string): Promise<void> {
  const body = { username, password, cookie: true };
  const { response, error } = await api.POST("/api/v1/auth/login", { body });
  if (!response.ok) throw refusal(response.status, error);
}

export async function signOut(): Promise<void> {
  await answer(api.POST("/api/v1/auth/logout", { body: {} }));
}

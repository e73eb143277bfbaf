// The screens there are, in the order of the navigation. To add one: a folder beside this file, and its line here.
import { type ComponentType, type LazyExoticComponent, lazy } from "react";

import type { Role } from "../api/session";
import type { IconName } from "../parts/icon";

export interface Screen {
  /** Below the console's place. */
  path: string;
  title: string;
  /** Behind `g`. */
  key: string;
  icon: IconName;
  /** The least role that has it. */
  role: Role;
  view: LazyExoticComponent<ComponentType>;
}

export const SCREENS: readonly Screen[] = [
  { path: "/", title: "Now", key: "n", icon: "pulse", role: "read", view: lazy(() => import("./now/now")) },
  { path: "/calls", title: "Calls", key: "c", icon: "list", role: "read", view: lazy(() => import("./calls/calls")) },
  { path: "/lanes", title: "Lanes", key: "l", icon: "lanes", role: "operator", view: lazy(() => import("./lanes/lanes")) },
  { path: "/batches", title: "Batches", key: "b", icon: "parcel", role: "operator", view: lazy(() => import("./batches/batches")) },
  { path: "/cache", title: "Cache", key: "m", icon: "layers", role: "read", view: lazy(() => import("./cache/cache")) },
  { path: "/providers", title: "Providers", key: "v", icon: "server", role: "operator", view: lazy(() => import("./providers/providers")) },
  { path: "/usage", title: "Usage", key: "u", icon: "coins", role: "read", view: lazy(() => import("./usage/usage")) },
  { path: "/playground", title: "Playground", key: "p", icon: "play", role: "write", view: lazy(() => import("./playground/playground")) },
  { path: "/keys", title: "Keys", key: "k", icon: "key", role: "admin", view: lazy(() => import("./keys/keys")) },
];

export const CALL = lazy(() => import("./call/call"));

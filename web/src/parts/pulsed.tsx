// Where a screen shows the latest second: that second, or why there is none.
import type { ReactNode } from "react";

import { Refusal } from "../api/client";
import type { Pulse } from "../live/message";
import { retry, useLive } from "../live/store";
import { Problem, Waiting } from "./states";

export function Pulsed({ children }: { children: (pulse: Pulse) => ReactNode }) {
  const { state, pulse } = useLive();
  if (state.kind === "refused") return <Problem error={new Refusal(state.status, state.code, state.why)} retry={retry} />;
  if (pulse !== null) return children(pulse);
  if (state.kind === "away") return <Problem error={new Refusal(0, "away", state.why)} retry={retry} />;
  return <Waiting what="Waiting for the first second" />;
}

// How full the lanes are, and what they refuse.
import { Link } from "wouter";

import type { Schemas } from "../../api/client";
import { DOT, count, plural } from "../../parts/format";
import { LaneTable } from "../../parts/lanes";
import { Panel } from "../../parts/panel";
import { keepWorkspace } from "../../shell/keys";

type Engine = Schemas["EngineState"];
type Rates = Schemas["Rates"];

export function Lanes({ engine, rates }: { engine: Engine; rates: Rates | null }) {
  const restarts = engine.restarts.reduce((sum, { count }) => sum + count, 0);
  return (
    <Panel title="Lanes" className="lanes" aside={<Link href={`/lanes${keepWorkspace()}`}>{restarts === 0 ? "no restarts" : plural(restarts, "restart")}</Link>}>
      <LaneTable lanes={engine.lanes} refused={rates?.refused ?? []} />
      <p className="foot">
        {plural(engine.flights, "answer")} in the air {DOT} {plural(engine.rows.held, "embedding item")} wait for {plural(engine.batchers.length, "batcher")} {DOT}{" "}
        {count(engine.cache.entries)} answers kept
      </p>
    </Panel>
  );
}

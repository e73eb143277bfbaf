// Who answers: how each provider is, what its latest requests came to, and which names lead where.
import { Link } from "wouter";

import type { Schemas } from "../../api/client";
import { type Model, useModels } from "../../api/models";
import { MOST_SENT, useRequests } from "../../api/requests";
import { may, useSession } from "../../api/session";
import { NONE, count, duration, exactly, plural, words } from "../../parts/format";
import { Meter, Panel, Wide } from "../../parts/panel";
import { Pulsed } from "../../parts/pulsed";
import { Empty, Problem, Waiting } from "../../parts/states";
import { Condition, breakerOf } from "../../parts/tags";
import { keepWorkspace } from "../../shell/keys";
import { ofProvider } from "./requests";

type Provider = Schemas["ProviderState"];

export default function Providers() {
  return (
    <div className="screen">
      <h1 className="hidden">Providers</h1>
      <Pulsed>
        {({ engine }) => (engine ? <States providers={engine.providers} /> : <Empty title="Nothing is told of the engine">Operators alone see its providers.</Empty>)}
      </Pulsed>
      <Requests />
      <Routes />
    </div>
  );
}

const MEANING: Record<string, string> = {
  closed: "requests go to it",
  half_open: "one request tries whether it answers again",
  open: "it failed too often in a row: nothing is sent",
};

function States({ providers }: { providers: Provider[] }) {
  return (
    <Panel title="Providers" aside="at this moment, all workspaces">
      {providers.length === 0 ? (
        <Empty title="No provider is configured">
          Add a table <code>[providers.NAME]</code> to the configuration.
        </Empty>
      ) : (
        <Wide label="Each provider">
          <table className="lines">
            <thead>
              <tr>
                <th scope="col">Provider</th>
                <th scope="col">State</th>
                <th scope="col">Breaker</th>
                <th scope="col">In flight</th>
              </tr>
            </thead>
            <tbody>
              {providers.map((provider) => {
                const [tone, state] = breakerOf(provider.breaker);
                return (
                  <tr key={provider.name}>
                    <th scope="row">
                      <bdi>{provider.name}</bdi>
                    </th>
                    <td>
                      <Condition tone={tone}>{state}</Condition>
                    </td>
                    <td>
                      {words(provider.breaker)}{" "}
                      <span className="quiet">
                        {MEANING[provider.breaker] ?? ""}
                        {provider.breaker === "open" ? `, again in ${duration(provider.open_for_ms)}` : ""}
                      </span>
                    </td>
                    <td>
                      <span className="filled">
                        <Meter value={provider.in_flight} of={provider.limit} label={`${provider.in_flight} of ${provider.limit} in flight`} />
                        {count(provider.in_flight)} <span className="quiet">of {count(provider.limit)}</span>
                      </span>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Wide>
      )}
    </Panel>
  );
}

/** Of the ledger, so of one workspace. */
function Requests() {
  const { workspace } = useSession();
  const sent = useRequests();
  const rows = sent.data ?? [];
  const names = [...new Set(rows.map(({ target }) => target.split("/", 1)[0] ?? ""))].sort();
  return (
    <Panel title="Latest requests" aside={`${workspace.name}, ${sent.data ? plural(rows.length, "request") : `the latest ${MOST_SENT}`}`}>
      {sent.isPending && <Waiting what="Reading the ledger" />}
      {sent.isError && <Problem error={sent.error} retry={() => void sent.refetch()} />}
      {sent.data && names.length === 0 && <Empty title="No request went to a provider">What memory answers needs none.</Empty>}
      {names.length > 0 && (
        <Wide label="Requests by provider">
          <table className="lines">
            <thead>
              <tr>
                <th scope="col">Provider</th>
                <th scope="col" className="number">Requests</th>
                <th scope="col" className="number">Failed</th>
                <th scope="col" className="number">Sent again</th>
                <th scope="col" className="number">p50</th>
                <th scope="col" className="number">p99</th>
              </tr>
            </thead>
            <tbody>
              {names.map((name) => {
                const sums = ofProvider(rows, name);
                return (
                  <tr key={name}>
                    <th scope="row">
                      <bdi>{name}</bdi>
                    </th>
                    <td className="number">{exactly(sums.requests)}</td>
                    <td className="number">{exactly(sums.failed)}</td>
                    <td className="number">{exactly(sums.again)}</td>
                    <td className="number">{sums.p50 === null ? NONE : duration(sums.p50)}</td>
                    <td className="number">{sums.p99 === null ? NONE : duration(sums.p99)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Wide>
      )}
    </Panel>
  );
}

function Routes() {
  const { role } = useSession();
  const models = useModels();
  return (
    <Panel title="Models" aside="who answers a name first">
      {models.isPending && <Waiting what="Asking for the names" />}
      {models.isError && <Problem error={models.error} retry={() => void models.refetch()} />}
      {models.data?.length === 0 && <Empty title="No name has a table of its own">With one provider every name goes to it as it is.</Empty>}
      {models.data && models.data.length > 0 && (
        <Wide label="Who answers which name">
          <table className="lines">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Answered by</th>
                <td />
              </tr>
            </thead>
            <tbody>{models.data.map((model) => <Route key={model.id} model={model} />)}</tbody>
          </table>
        </Wide>
      )}
      {may(role, "write") && (
        <p className="foot">
          A name without a table goes where <code>[models."*"]</code> leads, or to the only provider: <Link href={`/playground${keepWorkspace()}`}>try one</Link>
        </p>
      )}
    </Panel>
  );
}

function Route({ model }: { model: Model }) {
  const { role } = useSession();
  const test = new URLSearchParams(window.location.search);
  test.set("model", model.id);
  return (
    <tr>
      <th scope="row">
        <bdi>{model.id}</bdi>
      </th>
      <td>
        <bdi>{model.owned_by}</bdi>
      </td>
      <td className="number">
        {may(role, "write") && (
          <Link href={`/playground?${test.toString()}`} className="button small" aria-label={`Try ${model.id} in the playground`}>
            Try it
          </Link>
        )}
      </td>
    </tr>
  );
}

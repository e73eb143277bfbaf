// The filters of the list: each is a column of the ledger, and all stand in the address.
import type { ReactNode } from "react";

import { OUTCOMES } from "../../parts/tags";
import { Zone } from "../../parts/when";
import { type Asked, OWN, RANGES, isNarrowed } from "./asked";

interface Props {
  asked: Asked;
  change: (change: Partial<Asked>) => void;
  children: ReactNode;
}

const TEXTS = [
  ["model", "Model"],
  ["provider", "Provider"],
  ["key", "Key"],
  ["tag", "Tag"],
] as const;

/** For a field of a browser, which knows no zone but its own. */
function local(moment: string): string {
  if (moment === "") return "";
  const at = new Date(moment);
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return Number.isNaN(shifted.getTime()) ? "" : shifted.toISOString().slice(0, 19);
}

export function Filters({ asked, change, children }: Props) {
  const cleared = { since: "", until: "", status: "", outcome: "", model: "", provider: "", key: "", tag: "" };
  const moment = (name: "since" | "until", label: string) => (
    <label>
      <span>
        {label} <Zone />
      </span>
      <input
        type="datetime-local"
        step="1"
        value={local(asked[name])}
        onChange={(event) => change({ [name]: event.target.value === "" ? "" : new Date(event.target.value).toISOString() })}
      />
    </label>
  );
  const range = (value: string) => {
    if (value !== OWN) return change({ range: value, since: "", until: "" });
    const now = Date.now();
    change({ since: new Date(now - 3_600_000).toISOString(), until: new Date(now).toISOString() });
  };
  return (
    <form className="filterbar" role="search" aria-label="Filter calls" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>Time</span>
        <select value={asked.range} onChange={(event) => range(event.target.value)}>
          {Object.entries(RANGES).map(([name, [label]]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
          <option value={OWN}>From .. to</option>
        </select>
      </label>
      {asked.range === OWN && moment("since", "From")}
      {asked.range === OWN && moment("until", "To")}
      <label>
        <span>Status</span>
        <select value={asked.status} onChange={(event) => change({ status: event.target.value })}>
          <option value="">any</option>
          <option>ok</option>
          <option>failed</option>
          <option>abandoned</option>
        </select>
      </label>
      <label>
        <span>Outcome</span>
        <select value={asked.outcome} onChange={(event) => change({ outcome: event.target.value })}>
          <option value="">any</option>
          {OUTCOMES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      {TEXTS.map(([name, label]) => (
        <label key={name}>
          <span>{label}</span>
          <input
            key={asked[name]}
            data-filter={name === "model" ? "" : undefined}
            defaultValue={asked[name]}
            placeholder="any"
            dir="auto"
            spellCheck={false}
            onBlur={(event) => event.target.value !== asked[name] && change({ [name]: event.target.value.trim() })}
            onKeyDown={(event) => event.key === "Enter" && change({ [name]: event.currentTarget.value.trim() })}
          />
        </label>
      ))}
      {isNarrowed(asked) && (
        <button type="button" className="button small" onClick={() => change(cleared)}>
          Clear
        </button>
      )}
      <span className="grow" />
      {children}
    </form>
  );
}

// Whether what is seen is of now. Owns the words for a stream that is cut, silent or refused.
import { useEffect, useState } from "react";

import { type Live, retry, useLive } from "../live/store";
import { duration } from "../parts/format";

const STALE_MS = 3_500;
const CLOCK_OFF_MS = 5_000;

/** Draws again each second. */
function useSecond(): void {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
}

interface Shown {
  tone: "good" | "warn" | "bad";
  text: string;
  more?: string;
}

function shown(live: Live): Shown {
  const { state } = live;
  const age = live.pulse === null ? null : performance.now() - live.heardAt;
  const seen = age === null ? "" : `, data ${duration(Math.floor(age / 1000) * 1000)} old`;
  switch (state.kind) {
    case "connecting":
      return { tone: "warn", text: "Connecting" };
    case "refused":
      return { tone: "bad", text: state.status === 401 ? "Signed out" : "Refused", more: state.why };
    case "away": {
      const since = duration(Math.max(0, Math.floor((Date.now() - state.since) / 1000)) * 1000);
      return { tone: "bad", text: `Reconnecting for ${since}${seen}`, more: state.why };
    }
    case "live":
      if (age !== null && age > STALE_MS) return { tone: "warn", text: `Stale${seen}` };
      return { tone: "good", text: "Live" };
  }
}

export function LiveStatus() {
  const live = useLive();
  useSecond();
  const { tone, text, more } = shown(live);
  return (
    <span className={`live ${tone}`} title={more} role="status" aria-live="polite">
      <span className="beat" aria-hidden="true" />
      {text}
      {tone === "bad" && (
        <button type="button" className="link" onClick={retry}>
          now
        </button>
      )}
    </span>
  );
}

/** What is wrong with all that is seen, if something is. */
export function Banner() {
  const live = useLive();
  useSecond();
  const { tone, text, more } = shown(live);
  if (live.state.kind === "away" && live.pulse !== null) {
    return (
      <div className={`banner ${tone}`} role="alert">
        <strong>The server is away.</strong> What you see is from before. {text}.
        {more !== undefined && <span className="quiet"> {more}</span>}
      </div>
    );
  }
  const off = live.pulse === null ? 0 : Date.parse(live.pulse.at) + (performance.now() - live.heardAt) - Date.now();
  if (Math.abs(off) > CLOCK_OFF_MS && live.state.kind === "live") {
    const way = off > 0 ? "behind" : "ahead of";
    return (
      <div className="banner warn">
        This device&apos;s clock is {duration(Math.abs(off))} {way} the server&apos;s. Times here are the server&apos;s.
      </div>
    );
  }
  return null;
}

// Keys that work everywhere: `g` and a letter goes somewhere, `/` to the filter, `?` tells the keys.
import { useEffect } from "react";
import { useLocation } from "wouter";

import { SCREENS } from "../screens";
import { nextTheme } from "./theme";

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.matches("input, textarea, select") || target.isContentEditable);
}

export function useKeys(help: () => void): void {
  const [, go] = useLocation();
  useEffect(() => {
    let went = -Infinity;
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (performance.now() - went < 1_200) {
        went = -Infinity;
        const screen = SCREENS.find(({ key }) => key === event.key);
        if (screen !== undefined) {
          event.preventDefault();
          go(`${screen.path}${window.location.search.includes("ws=") ? keepWorkspace() : ""}`);
        }
        return;
      }
      if (event.key === "g") went = performance.now();
      else if (event.key === "?") help();
      else if (event.key === "t") nextTheme();
      else if (event.key === "/") {
        const filter = document.querySelector<HTMLElement>("[data-filter]");
        if (filter !== null) {
          event.preventDefault();
          filter.focus();
        }
      }
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [go, help]);
}

/** The part of an address that says which workspace is looked at. */
export function keepWorkspace(): string {
  const place = new URLSearchParams(window.location.search).get("ws");
  return place === null ? "" : `?ws=${encodeURIComponent(place)}`;
}

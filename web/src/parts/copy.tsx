// Puts a text where it can be pasted, and says so.
import { useState } from "react";

import { Icon } from "./icon";

export function Copy({ text, what, label }: { text: string; what: string; label?: string }) {
  const [done, setDone] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(text).then(() => {
      setDone(true);
      setTimeout(() => setDone(false), 1_500);
    });
  };
  return (
    <button type="button" className="button small" onClick={copy} aria-label={label === undefined ? `Copy the ${what}` : undefined}>
      <Icon name={done ? "check" : "copy"} size={13} />
      {label !== undefined && (done ? "Copied" : label)}
    </button>
  );
}

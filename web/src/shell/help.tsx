// The keys there are.
import { useEffect, useRef } from "react";

import { SCREENS } from "../screens";

export function Help({ open, close }: { open: boolean; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const others: [string, string][] = [
    ["/", "To the filter"],
    ["\u2191 \u2193", "Through a list"],
    ["Enter", "Open what is chosen"],
    ["t", "Light, dark, or as the system has it"],
    ["?", "This"],
    ["Esc", "Close"],
  ];
  return (
    <dialog ref={dialog} className="help" onClose={close} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl>
        {SCREENS.map(({ key, title }) => (
          <div key={key}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
        {others.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" className="button" onClick={close}>
        Close
      </button>
    </dialog>
  );
}

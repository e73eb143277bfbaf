// Asks before something that cannot be taken back, or shows what is shown once.
import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  title: string;
  close: () => void;
  children: ReactNode;
  /** What can be done beside closing. */
  action?: { label: string; run: () => void; busy?: boolean };
  closing?: string;
}

/** Open as long as it is there. */
export function Dialog({ title, close, children, action, closing = "Cancel" }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="help wide" onClose={close} aria-label={title}>
      <h2>{title}</h2>
      {children}
      <div className="actions">
        <button type="button" className="button" onClick={close}>
          {closing}
        </button>
        {action !== undefined && (
          <button type="button" className="button danger" onClick={action.run} disabled={action.busy}>
            {action.label}
          </button>
        )}
      </div>
    </dialog>
  );
}

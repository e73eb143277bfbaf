// A new key, this once.
import type { Schemas } from "../../api/client";
import { Copy } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";

export function Secret({ made, close }: { made: Schemas["KeyMade"]; close: () => void }) {
  return (
    <Dialog title={`The key ${made.key.name}`} close={close} closing="I have it">
      <p>This is shown once and stored nowhere. Copy it now; without it there is only rotating.</p>
      <p className="secret">
        <code>{made.secret}</code>
        <Copy text={made.secret} what="key" label="Copy" />
      </p>
    </Dialog>
  );
}

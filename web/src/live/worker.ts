// Listens for all tabs of a browser: one connection, however many of them are open.
import { Listener } from "./listener";
import type { Asked, Told } from "./message";

const scope = self as unknown as { onconnect: (event: MessageEvent) => void };
const ports = new Set<MessagePort>();
const listener = new Listener((told: Told) => ports.forEach((port) => port.postMessage(told)));

scope.onconnect = (event) => {
  const port = event.ports[0];
  if (port === undefined) return;
  port.onmessage = ({ data }: MessageEvent<Asked>) => {
    switch (data.type) {
      case "hello":
        ports.add(port);
        listener.start(data.place);
        port.postMessage(listener.all());
        break;
      case "bye":
        ports.delete(port);
        if (ports.size === 0) listener.end();
        break;
      case "retry":
        listener.retry();
        break;
    }
  };
  port.start();
};

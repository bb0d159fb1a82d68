/** The relay of all tabs, in a worker that they share. */
import { Relay, type Said } from "./relay";

const relay = new Relay();

// TypeScript knows either the names of a page or those of a worker.
const scope = self as unknown as { onconnect: (event: MessageEvent) => void };

scope.onconnect = ({ ports: [port] }) => {
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<Said>) => {
    relay.hear(port, data);
  };
};

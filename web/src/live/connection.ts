/** How fresh the page is: one state for all of it, shown in the top bar. */
import { useSyncExternalStore } from "react";

export interface Connection {
  /** `stream`: changes arrive as they happen. `poll`: it asks every few seconds. `off`: nothing answers. */
  readonly state: "stream" | "poll" | "off";
  /** Nothing is fetched until the viewer goes on. */
  readonly paused: boolean;
  /** When the API last answered; null before the first answer. */
  readonly answeredAt: number | null;
  /** How often the page asks without a stream, in seconds. */
  readonly everyS: number;
}

let connection: Connection = { state: "poll", paused: false, answeredAt: null, everyS: 5 };
let online: "stream" | "poll" = "poll";
const listeners = new Set<() => void>();

function change(next: Connection): void {
  connection = next;
  for (const listener of listeners) listener();
}

/** The API has answered. Nothing that is shown changes while it goes on doing so. */
export function reached(): void {
  const { state } = connection;
  connection = { ...connection, answeredAt: Date.now() };
  if (state === "off") change({ ...connection, state: online });
}

/** The API did not answer. */
export function unreachable(): void {
  if (connection.state !== "off") change({ ...connection, state: "off" });
}

/** The source of hints is a stream, or polling. */
export function setSource(source: "stream" | "poll"): void {
  online = source;
  if (connection.state !== "off" && connection.state !== source) change({ ...connection, state: source });
}

export function setEvery(everyS: number): void {
  if (connection.everyS !== everyS) change({ ...connection, everyS });
}

export function setPaused(paused: boolean): void {
  change({ ...connection, paused });
}

export function currentConnection(): Connection {
  return connection;
}

export function onConnection(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useConnection(): Connection {
  return useSyncExternalStore(onConnection, currentConnection);
}

/** Why nothing can be changed now; null if it can. */
export function useWritesOff(): string | null {
  return useConnection().state === "off" ? "The API does not answer: nothing can be changed now." : null;
}

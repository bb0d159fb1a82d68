/** Which dialog of the shell is open. It is no part of a URL: Back should leave a view, not a palette. */
import { useSyncExternalStore } from "react";

type Overlay = "palette" | "help" | null;

let overlay: Overlay = null;
const listeners = new Set<() => void>();

export function openOverlay(next: Overlay): void {
  overlay = next;
  for (const listener of listeners) listener();
}

export function useOverlay(): Overlay {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => overlay,
  );
}

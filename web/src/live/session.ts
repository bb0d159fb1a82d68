/** Whether the API lets this page in. While it does not, nothing is asked, and the login stands in front of the view. */
import { useSyncExternalStore } from "react";

/** Why nobody is let in, as the API says it; null while the page is let in. */
let whyOut: string | null = null;
let logins = 0;
const listeners = new Set<() => void>();

function change(next: string | null): void {
  if (whyOut === next) return;
  whyOut = next;
  for (const listener of listeners) listener();
}

/** The API has refused to answer to whoever this is. */
export function sessionEnded(why: string): void {
  change(why);
}

/** Somebody has logged in, here or in another tab. */
export function sessionBegan(): void {
  logins += 1;
  change(null);
}

/** How often somebody has logged in: a refusal of what was asked before says nothing of now. */
export function loginCount(): number {
  return logins;
}

export function currentWhyOut(): string | null {
  return whyOut;
}

export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useWhyOut(): string | null {
  return useSyncExternalStore(onSession, currentWhyOut);
}

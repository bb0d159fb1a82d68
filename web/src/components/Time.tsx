import { useSyncExternalStore } from "react";
import { ago, clock, fullTime, UNKNOWN } from "@/format/format";

/** Ages change with the data, not each second: nothing ticks. Ten seconds is what a glance can tell apart. */
const STEP_MS = 10_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) now = Date.now(); // it stood still while nobody looked
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, STEP_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    window.clearInterval(timer);
    timer = undefined;
  };
}

/** This moment, in milliseconds; it moves on every ten seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** A time: of the day, or how long ago; on hover exact, with offset, and in UTC. */
export function Time({ at, as = "clock" }: { at: string | number | null | undefined; as?: "clock" | "ago" }) {
  const moment = useNow();
  if (at == null) return UNKNOWN;
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {as === "ago" ? ago(at, moment) : clock(at, moment)}
    </time>
  );
}

import { currentConnection, onConnection, setEvery } from "./connection";
import { hint, hintAll, wantedRestMs } from "./hints";
import { currentWhyOut, onSession } from "./session";

/** How often the page asks while somebody uses it, and while it is only open. */
export const POLL_S = 5;
const IDLE_POLL_S = 30;
const IDLE_MS = 300_000;
const USES = ["pointermove", "keydown", "wheel", "touchstart"] as const;

/**
 * Hints by the clock, while the page is looked at: of queues, workers and health, which no stream tells of; without a
 * stream of jobs, too.
 */
export function startClock(): void {
  let timer: number | undefined;
  let usedAt = Date.now();
  let beat = 0;

  function tick(): void {
    const { paused, state } = currentConnection();
    if (currentWhyOut() !== null) return; // until somebody logs in
    if (!paused && state === "stream") hint({ kind: "clock", beat: (beat += 1) });
    else if (!paused) hintAll();
    plan();
  }

  function plan(): void {
    window.clearTimeout(timer);
    if (document.hidden) return;
    const seconds = Date.now() - usedAt < IDLE_MS ? POLL_S : IDLE_POLL_S;
    setEvery(seconds);
    timer = window.setTimeout(tick, Math.max(seconds * 1000, 2 * wantedRestMs()));
  }

  function use(): void {
    const wasIdle = Date.now() - usedAt >= IDLE_MS;
    usedAt = Date.now();
    if (wasIdle) tick();
  }

  let wasPaused = currentConnection().paused;
  onConnection(() => {
    const { paused } = currentConnection();
    if (wasPaused && !paused) hintAll();
    wasPaused = paused;
  });
  onSession(tick);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !currentConnection().paused) hintAll();
    plan();
  });
  for (const name of USES) window.addEventListener(name, use, { passive: true });
  plan();
}

import { currentConnection, onConnection } from "./connection";
import { hint } from "./hints";

/** How often a page that is looked at asks again, and one in the background. */
export const POLL_S = 5;
const HIDDEN_POLL_S = 60;

/**
 * Hints by the clock. Returns how to stop.
 *
 * While the state is `stream`, jobs are told by that stream, and the clock is for the rest only.
 */
export function startClock(): () => void {
  let timer: number | undefined;

  function tick(): void {
    if (!currentConnection().paused) {
      if (currentConnection().state !== "stream") hint({ kind: "jobs", ids: "many" });
      hint({ kind: "clock" });
    }
    plan();
  }

  function plan(): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(tick, (document.hidden ? HIDDEN_POLL_S : POLL_S) * 1000);
  }

  function onVisible(): void {
    if (document.hidden) plan();
    else tick();
  }

  let wasPaused = currentConnection().paused;
  const leave = onConnection(() => {
    const { paused } = currentConnection();
    if (wasPaused && !paused) tick();
    wasPaused = paused;
  });
  document.addEventListener("visibilitychange", onVisible);
  plan();
  return () => {
    window.clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
    leave();
  };
}

/** Whether a type succeeds less often than it usually does. */
import type { Schemas } from "@/api/types";
import type { WindowName } from "./windows";

export type Figures = Schemas["Performance"];
type Ends = Pick<Figures, "completed" | "failed">;

/** The window that says what is usual: longer than the one that is shown; null: there is none. */
export function usualWindow(shown: WindowName | undefined): WindowName | null {
  if (shown === "31d") return null;
  return shown === "7d" ? "31d" : "7d";
}

/** So many runs before the window are needed to say what is usual. */
const LEAST_BEFORE = 30;
/** So many failures are needed: one or two are chance. */
const LEAST_FAILED = 3;
/** How far off a share has to be, in standard deviations. Of 1,000 looks at what is usual, one would be. */
const DEVIATIONS = 3;

/**
 * The usual share of success, if that of the window is significantly worse; else null.
 *
 * @param now The window that is shown.
 * @param whole A longer one, which contains it.
 */
export function usualIfWorse(now: Ends | null, whole: Ends | undefined): number | null {
  if (now === null || whole === undefined) return null;
  const ended = now.completed + now.failed;
  const before = { completed: whole.completed - now.completed, failed: whole.failed - now.failed };
  const endedBefore = before.completed + before.failed;
  if (now.failed < LEAST_FAILED || endedBefore < LEAST_BEFORE || before.failed < 0) return null;
  const both = (now.failed + before.failed) / (ended + endedBefore);
  const deviation = Math.sqrt(both * (1 - both) * (1 / ended + 1 / endedBefore));
  const difference = now.failed / ended - before.failed / endedBefore;
  return difference > DEVIATIONS * deviation ? before.completed / endedBefore : null;
}

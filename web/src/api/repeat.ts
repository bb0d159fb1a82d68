/**
 * A request that changes something may be sent twice, and is done once: it bears a key (`Idempotency-Key`) of what was
 * intended. A second click, and a request that is sent again because no answer came, have the key of the first one.
 */
interface Intention {
  readonly key: string;
  readonly state: "under way" | "decided" | "unanswered";
  /** When the key is forgotten, unless its request is under way. */
  readonly until: number;
}

/** A click that follows the answer so soon is the second half of a double click. */
const DOUBLE_CLICK_MS = 500;
/** Who tries again within this time what had no answer means the same. */
const UNANSWERED_MS = 60_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** The pauses before a request without an answer is sent again. */
const PAUSES_MS = [400, 1000, 2000, 4000];
/** Statuses that say nothing of what was done: the caller must log in, wait, or ask something that is away. */
const UNDECIDED = new Set([401, 408, 425, 429]);

const intentions = new Map<string, Intention>();

/** The key of what is intended: a new one, unless the same is under way, had no answer, or was clicked twice. */
export function keyOf(what: string, now: number): string {
  for (const [each, { state, until }] of intentions) {
    // After something else, the same once more is another intention.
    const isPast = until < now || (state === "decided" && each !== what);
    if (state !== "under way" && isPast) intentions.delete(each);
  }
  const key = intentions.get(what)?.key ?? randomKey();
  intentions.set(what, { key, state: "under way", until: now });
  return key;
}

/** The request is over; `isDecided`: its answer says what became of it. */
export function over(what: string, key: string, isDecided: boolean, now: number): void {
  if (intentions.get(what)?.key !== key) return;
  const state = isDecided ? "decided" : "unanswered";
  intentions.set(what, { key, state, until: now + (isDecided ? DOUBLE_CLICK_MS : UNANSWERED_MS) });
}

/** By hand: `crypto.randomUUID` is not there where the page is served by plain HTTP. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a request bears a key: all that change something, by the body that it sends. */
export function bearsKey(method: string, path: string, body: string): boolean {
  return method === "POST" && !path.endsWith("/api/session") && !body.includes('"dry_run":true');
}

/** The request with this key is being answered, or something on the way answered in the place of the API. */
function isToSendAgain(response: Response): boolean {
  const isOfApi = response.headers.get("content-type")?.includes("json") ?? false;
  if (response.status === 409) return isOfApi && response.headers.has("retry-after");
  return [502, 503, 504].includes(response.status) && !isOfApi;
}

/**
 * Send a request. One that changes something is sent again if no answer came: for some seconds, in growing pauses.
 *
 * @param send Sends it; `fetch`, but for tests.
 */
export async function sendOnce(
  request: Request,
  send: (request: Request) => Promise<Response> = fetch,
): Promise<Response> {
  const body = request.method === "POST" ? await request.clone().text() : "";
  if (!bearsKey(request.method, new URL(request.url).pathname, body)) return send(request);
  const what = `${request.url}\n${body}`;
  const key = keyOf(what, Date.now());
  request.headers.set("Idempotency-Key", key);
  let isDecided = false;
  try {
    const response = await sendAgain(request, send);
    isDecided = response.status < 500 && !UNDECIDED.has(response.status) && !isToSendAgain(response);
    return response;
  } finally {
    over(what, key, isDecided, Date.now());
  }
}

async function sendAgain(request: Request, send: (request: Request) => Promise<Response>): Promise<Response> {
  for (const wait of PAUSES_MS) {
    try {
      const response = await send(request.clone());
      if (!isToSendAgain(response)) return response;
    } catch (error) {
      if (request.signal.aborted) throw error;
    }
    await pause(wait);
  }
  return send(request);
}

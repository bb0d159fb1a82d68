import createClient from "openapi-fetch";
import { reached, unreachable } from "@/live/connection";
import { jobsChangedAt } from "@/live/hints";
import { seenEvent, wrote } from "@/live/seen";
import { currentWhyOut, loginCount, sessionBegan, sessionEnded } from "@/live/session";
import { early } from "./early";
import { sendOnce } from "./repeat";
import type { paths } from "./schema";
import type { Schemas } from "./types";

type Problem = Schemas["Problem"];

/** What the API, or the way to it, refused: what happened, why, what to do. */
export class ApiError extends Error {
  readonly title: string;
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  readonly requestId: string | null;
  /** Where in a query something is wrong, in characters from 0; null if nothing is. */
  readonly place: number | null;
  /** The wrong fields of what was sent, by their path. */
  readonly fields: readonly { field: string; message: string }[];

  constructor(title: string, detail: string, status = 0, problem?: Problem) {
    super(detail);
    this.name = "ApiError";
    this.title = title;
    this.status = status;
    this.requestId = problem?.request_id ?? null;
    this.place = problem?.position ?? null;
    this.fields = problem?.errors ?? [];
  }
}

/** An answer of a gateway or of an API without its store: what is on the screen grows old. */
const AWAY = new Set([502, 503, 504]);

/** Health is an answer, also when it is a bad one: an error would be a problem (RFC 9457). */
function isAnswer(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("application/json") ?? false;
}

/** Reads say which event they follow: all pages that heard of it may get the same answer. */
function mark(request: Request): void {
  const seen = seenEvent();
  if (request.method !== "GET") wrote();
  else if (seen !== null) request.headers.set("Last-Event-ID", seen);
}

const ends = (request: Request, path: string) => new URL(request.url).pathname.endsWith(path);
/** What can be asked by nobody in particular: who one is, and to be let in. */
const asksToBeLetIn = (request: Request) => ends(request, "/api/session") || ends(request, "/api/me");

/** Whether the answer says that nobody is logged in, or that somebody is again. */
async function watchSession(request: Request, response: Response, loginsBefore: number): Promise<void> {
  if (ends(request, "/api/session")) return; // who logs in does something with the answer
  const isMe = ends(request, "/api/me");
  if (isMe && response.ok && currentWhyOut() !== null) sessionBegan();
  // A proxy may know somebody who may do nothing here.
  const isOut = response.status === 401 || (isMe && response.status === 403);
  if (!isOut || loginsBefore !== loginCount()) return;
  const problem: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  sessionEnded(isProblem(problem) ? problem.detail : "");
}

async function watchedFetch(request: Request): Promise<Response> {
  const why = currentWhyOut();
  if (why !== null && !asksToBeLetIn(request)) throw new ApiError("Nobody is logged in", why, 401);
  const logins = loginCount();
  mark(request);
  try {
    // What was asked for early may lack what was told of since, or be a refusal from before a login.
    const isAsNow = jobsChangedAt() === Number.NEGATIVE_INFINITY && logins === 0;
    const begun = isAsNow ? early(request) : undefined;
    const response = await (begun ?? sendOnce(request));
    await watchSession(request, response, logins);
    if (request.method !== "GET") wrote();
    if (AWAY.has(response.status) && !isAnswer(response)) unreachable();
    else reached();
    return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
    unreachable();
    throw new ApiError(
      "The API does not answer",
      "No answer came from the address of this page. It is asked again by itself; what is shown is from before.",
    );
  }
}

/** The API, below the path prefix that <base href> names. Answers are typed by its OpenAPI document. */
export const api = createClient<paths>({
  baseUrl: new URL(".", document.baseURI).href.replace(/\/$/, ""),
  fetch: watchedFetch,
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer. Anything else than success is an `ApiError`. */
export async function data<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data: found, error, response } = await answer;
  if (response.ok) return found as T;
  if (isProblem(error)) throw new ApiError(error.title, error.detail, response.status, error);
  throw new ApiError(
    `Status ${response.status}`,
    "Something between this page and the API answered in its place, for example a proxy.",
    response.status,
  );
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "title" in value && "detail" in value;
}

/**
 * Asks for what the page needs first while its code is still being run: main.tsx imports this before all else.
 * It has a file of its own (vite.config.ts) and imports nothing, or it would have to wait, too.
 */

/** What every view waits for: the caller. */
const ALWAYS = "api/me";

/** What the views ask for first, by their path without search parameters: exactly as they ask for it. */
const FIRST: Readonly<Record<string, string>> = { jobs: "api/jobs/?page_size=100" };

const base = new URL(".", document.baseURI);
const first = location.search === "" ? FIRST[location.pathname.slice(base.pathname.length)] : undefined;
const begun = new Map<string, Promise<Response>>();

for (const path of first === undefined ? [ALWAYS] : [ALWAYS, first]) {
  const url = new URL(path, base).href;
  const answer = fetch(url);
  answer.catch(() => undefined); // who takes it hears of it
  begun.set(url, answer);
}

/** The first caller gets the answer that was requested early. All others get undefined. */
export function early({ method, url }: Request): Promise<Response> | undefined {
  if (method !== "GET") return undefined;
  const answer = begun.get(url);
  begun.delete(url);
  return answer;
}

/**
 * Asks for what a view needs first while the code of the page is still being run: main.tsx imports this before all else.
 * It has a file of its own (vite.config.ts) and imports nothing, or it would have to wait, too.
 */

/** What the views ask for first, by their path without search parameters: exactly as they ask for it. */
const FIRST: Readonly<Record<string, string>> = { jobs: "api/jobs/?page_size=100" };

const base = new URL(".", document.baseURI);
const view = location.pathname.slice(base.pathname.length);
let begun: { readonly url: string; readonly answer: Promise<Response> } | null = null;

if (location.search === "" && FIRST[view] !== undefined) {
  const url = new URL(FIRST[view], base).href;
  begun = { url, answer: fetch(url) };
  begun.answer.catch(() => undefined); // who takes it hears of it
}

/** The answer that is on its way already, for who asks for it first; undefined for all others. */
export function early({ method, url }: Request): Promise<Response> | undefined {
  if (begun === null || method !== "GET" || url !== begun.url) return undefined;
  const { answer } = begun;
  begun = null;
  return answer;
}

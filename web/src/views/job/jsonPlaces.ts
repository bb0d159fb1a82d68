/** Where the parts of a JSON text are, so that an error can be shown at the field that it is about. */

/** A path as the API writes it: `document_id`, `lines.0.price`. */
export type Places = ReadonlyMap<string, number>;

/** The line (from 1) on which each part begins, by its path; the whole text has the path "". The text has to be JSON. */
export function placesOf(text: string): Places {
  const places = new Map<string, number>();
  let at = 0;
  let line = 1;

  function skip(): void {
    for (; at < text.length && /\s/.test(text[at] ?? ""); at += 1) if (text[at] === "\n") line += 1;
  }
  function string(): string {
    const begin = at;
    for (at += 1; at < text.length && text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    at += 1;
    return JSON.parse(text.slice(begin, at)) as string;
  }
  function members(close: string, member: (index: number) => void): void {
    at += 1;
    skip();
    for (let index = 0; at < text.length && text[at] !== close; index += 1) {
      member(index);
      skip();
      if (text[at] === ",") at += 1;
      skip();
    }
    at += 1;
  }
  function value(path: string): void {
    skip();
    if (!places.has(path)) places.set(path, line);
    if (text[at] === "{") {
      members("}", () => {
        const begin = line;
        const name = below(path, string());
        places.set(name, begin);
        skip();
        at += 1;
        value(name);
      });
    } else if (text[at] === "[") {
      members("]", (index) => {
        value(below(path, String(index)));
      });
    } else if (text[at] === '"') string();
    else while (at < text.length && !/[\s,\]}]/.test(text[at] ?? "")) at += 1;
  }
  value("");
  return places;
}

/** The line of a field; of one that is missing, that of what should have it. */
export function lineOf(places: Places, path: string): number {
  const parts = path === "" ? [] : path.split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const line = places.get(parts.slice(0, length).join("."));
    if (line !== undefined) return line;
  }
  return places.get("") ?? 1;
}

/** What is wrong with a text that is not JSON, and on which line; null if it is JSON. */
export function jsonProblem(text: string): { message: string; line: number } | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, position] = /position (\d+)/.exec(message) ?? [];
    const before = text.slice(0, position === undefined ? text.length : Number(position));
    return { message: message.replace(/ in JSON at position.*$/s, ""), line: before.split("\n").length };
  }
}

function below(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

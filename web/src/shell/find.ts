/** What the palette finds by what was typed. */

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The job's id that this text is; null if it is none, or only a part. */
export function idIn(text: string): string | null {
  return ID.test(text) ? text.toLowerCase() : null;
}

const LEAST_OF_ID = 6;

/** Whether this text is a part of an id, in all likelihood: parts find no job. */
export function isPartOfId(text: string): boolean {
  const isHex = /^[0-9a-f-]+$/i.test(text) && /[0-9]/.test(text);
  return isHex && text.length >= LEAST_OF_ID && idIn(text) === null;
}

/** Whether a label has each of these words, in any order and case. */
export function fits(label: string, text: string): boolean {
  const lower = label.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}

/** The types with these words in their names: those whose name begins so first. None for no words. */
export function typesWith(names: Iterable<string>, text: string): string[] {
  if (text === "") return [];
  const begins = (name: string) => Number(!name.toLowerCase().startsWith(text.toLowerCase()));
  return [...new Set(names)]
    .filter((name) => fits(name, text))
    .sort((a, b) => begins(a) - begins(b) || a.localeCompare(b));
}

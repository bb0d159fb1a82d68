/** Which event this tab has heard of last: a request says so, and may get what the API has read for another page since. */

/** After a write the page reads anew for so long: what the write changes may not be told of yet. */
const OWN_WRITE_MS = 2000;

let lastId: string | null = null;
let wroteAt = Number.NEGATIVE_INFINITY;

/** An event was heard. Null: events may have been missed, or there are none. */
export function heard(id: string | null): void {
  lastId = id === "" ? null : id;
}

/** This page has changed something, or is about to. */
export function wrote(): void {
  wroteAt = Date.now();
}

/** The id of the event that the next request follows; null: it must be answered anew. */
export function seenEvent(): string | null {
  return Date.now() - wroteAt < OWN_WRITE_MS ? null : lastId;
}

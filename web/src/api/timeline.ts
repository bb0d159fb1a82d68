/** Executions of a span of time, read in pages, newest first, and kept up to date by what has ended since. */
import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import {
  afterLast,
  type Executions,
  joined,
  parts,
  type Ran,
  rowsOf,
  type Span,
  updated,
} from "./executions";

/** So many executions are kept at most: a minute of memory, not a day of a large fleet. */
export const MOST_EXECUTIONS = 60_000;
const PAGE_ROWS = 5000;
/** Reports of ends may come so late. */
const LATE_MS = 15_000;

/** The pages of a span, until there are no more, or more than `room` rows. */
async function read({ from, to }: Span, room: number, signal: AbortSignal) {
  const rows: Ran[] = [];
  for (let cursor: string | undefined; ;) {
    const query = {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      limit: PAGE_ROWS,
      cursor,
    };
    const page = await data(api.GET("/api/tracking/timeline", { params: { query }, signal }));
    rows.push(...rowsOf(page));
    if (page.next_cursor == null) return { rows, isWhole: true };
    if (rows.length >= room) return { rows, isWhole: false };
    cursor = page.next_cursor;
  }
}

/**
 * What ran when, up to a moment or, with null, up to now. Up to now, it asks only for what has changed after the first
 * time.
 */
export const timeline = (spanMs: number, until: number | null) =>
  queryOptions({
    queryKey: ["timeline", spanMs, until],
    queryFn: async ({ signal, client, queryKey }): Promise<Executions> => {
      const to = until ?? Date.now();
      const span = { from: to - spanMs, to };
      const known = client.getQueryData<Executions>(queryKey);
      if (known !== undefined && !isPartial(known)) {
        if (until !== null) return known;
        const since = { from: known.to - LATE_MS, to: to + LATE_MS };
        if (since.from > span.from) {
          const { rows, isWhole } = await read(since, PAGE_ROWS * 2, signal);
          if (isWhole) return updated(known, rows, span);
        }
      }
      let found: Executions = { ...span, rows: [], unread: span };
      for (const part of parts(span)) {
        // The clock of the store may be a little ahead of the viewer's.
        const asked = until === null && part.to === to ? { ...part, to: to + LATE_MS } : part;
        const { rows, isWhole } = await read(asked, MOST_EXECUTIONS - found.rows.length, signal);
        if (!isWhole && found.rows.length > 0) return { ...found, unread: { from: span.from, to: part.to } };
        const unread = part.from > span.from ? { from: span.from, to: part.from } : null;
        found = { ...span, rows: joined(found.rows, rows), unread: isWhole ? unread : afterLast(rows, span) };
        if (!isWhole) return found;
        if (known === undefined && unread !== null) client.setQueryData(queryKey, partial(found));
      }
      return found;
    },
    structuralSharing: false,
    gcTime: 60_000,
    staleTime: until === null ? 0 : Number.POSITIVE_INFINITY,
  });

const PARTIAL = new WeakSet<Executions>();

/** It is still being read: shown, and not taken for the answer. */
function partial(found: Executions): Executions {
  PARTIAL.add(found);
  return found;
}

export function isPartial(found: Executions): boolean {
  return PARTIAL.has(found);
}

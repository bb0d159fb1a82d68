/** Which rows of a list are selected. A range goes from the row that was toggled last to another one. */

export interface Selection {
  readonly keys: ReadonlySet<string>;
  /** The row from which a range begins; null before the first. */
  readonly anchor: string | null;
}

export const NOTHING: Selection = { keys: new Set(), anchor: null };

/** Select a row, or take it out. */
export function toggled(selection: Selection, key: string): Selection {
  const keys = new Set(selection.keys);
  if (!keys.delete(key)) keys.add(key);
  return { keys, anchor: key };
}

/** Select all rows from the anchor to this one. Without an anchor in the list, this row alone. */
export function extended(selection: Selection, key: string, order: readonly string[]): Selection {
  const from = selection.anchor === null ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(key);
  if (from < 0 || to < 0) return { keys: new Set([...selection.keys, key]), anchor: key };
  const range = order.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { keys: new Set([...selection.keys, ...range]), anchor: selection.anchor };
}

/** Select all of these; if all are selected, none. */
export function allOrNone(selection: Selection, order: readonly string[]): Selection {
  const areAll = order.length > 0 && order.every((key) => selection.keys.has(key));
  return areAll ? NOTHING : { keys: new Set([...selection.keys, ...order]), anchor: selection.anchor };
}

/** How much room columns of text get: what their rows have to say, within bounds. */

/** The width of a character in a row, about, in pixels. */
const CHARACTER_PX = 8;

export interface Bounds {
  /** Pixels; enough for the head. A column whose rows are all empty gets no more. */
  readonly least: number;
  readonly most: number;
}

/**
 * A track of a CSS grid, at most as wide as the longest text. Where the page is narrow it shrinks to what it needs at
 * least.
 */
export function trackFor(texts: readonly string[], { least, most }: Bounds): string {
  const longest = texts.reduce((length, text) => Math.max(length, text.length), 0);
  const wanted = Math.ceil(longest * CHARACTER_PX);
  if (wanted <= least) return `${least}px`;
  return `minmax(${least}px, ${Math.min(wanted, most)}px)`;
}

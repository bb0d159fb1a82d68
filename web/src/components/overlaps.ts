/** How long an old secret counts beside the new one, in seconds: of keys and of webhooks. The first is the usual one. */
export const OVERLAPS = [
  ["86400", "for a day"],
  ["3600", "for an hour"],
  ["604800", "for 7 days"],
  ["2592000", "for 30 days"],
  ["0", "not any more"],
] as const;
export type Overlap = (typeof OVERLAPS)[number][0];

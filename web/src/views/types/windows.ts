/** The windows of time that figures of types have, by their name in the URL. The first is the usual one. */
const WINDOWS = {
  "24h": { hours: 24, bucketHours: 1 },
  "1h": { hours: 1, bucketHours: 1 },
  "7d": { hours: 24 * 7, bucketHours: 6 },
  "31d": { hours: 24 * 31, bucketHours: 24 },
} as const;

export type WindowName = keyof typeof WINDOWS;

export function windowNamed(name: unknown): WindowName | undefined {
  return (Object.keys(WINDOWS) as WindowName[]).find((each) => each === name);
}

export function windowOf(name: WindowName | undefined): { hours: number; bucketHours: number } {
  return WINDOWS[name ?? "24h"];
}

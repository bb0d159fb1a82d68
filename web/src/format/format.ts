/** Numbers, times and durations as text. Nothing else in the page formats one. Unknown is an en dash, never 0. */

export const UNKNOWN = "–";

/** By hand: the first `Intl.NumberFormat` of a page takes 20 ms before anything is shown. */
function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** An exact count: 1,284. */
export function count(value: number | null | undefined): string {
  return value == null ? UNKNOWN : grouped(value);
}

/** A count where there is little room: 1.8 M. */
export function shortCount(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  if (value < 10_000) return grouped(value);
  const [size, unit] = value < 999_500 ? [1e3, "k"] : value < 999_500_000 ? [1e6, "M"] : [1e9, "G"];
  const scaled = value / size;
  return `${scaled.toFixed(scaled < 9.95 ? 1 : 0)} ${unit}`;
}

/** A share of 1 as a percentage with one digit; 100 % and 0 % only if it is exactly that. */
export function share(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  if (value === 0 || value === 1) return `${value * 100} %`;
  return `${Math.min(99.9, Math.max(0.1, value * 100)).toFixed(1)} %`;
}

/** One name with its count: 1 job, 2 jobs. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A size: 840 B, 2.3 kB. */
export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  if (value < 1000) return `${value} B`;
  const power = Math.min(3, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(scaled < 9.95 ? 1 : 0)} ${["B", "kB", "MB", "GB"][power] ?? ""}`;
}

/** A duration in seconds, in two units at most: 840 ms, 2.3 s, 41 s, 2m 41s, 38m, 1h 04m, 3d 2h. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return UNKNOWN;
  const s = Math.max(0, seconds);
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  const whole = Math.round(s);
  if (whole < 600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes}m`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(s / 3600);
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** The seconds between two times of the API; null if one of them is not there. */
export function secondsBetween(
  from: string | null | undefined,
  to: string | null | undefined,
): number | null {
  return from == null || to == null ? null : (Date.parse(to) - Date.parse(from)) / 1000;
}

/** How long ago: 8 s ago, 17m ago. What is ahead of this machine's clock by a little is now. */
export function ago(time: string | number, now: number): string {
  const seconds = (now - Number(new Date(time))) / 1000;
  if (seconds < 1) return seconds > -60 ? "now" : `in ${duration(-seconds)}`;
  return `${duration(seconds < 60 ? Math.round(seconds) : seconds).replace(".0", "")} ago`;
}

/** The time of day in the viewer's zone; with the date if it is not today: 14:32:07, 24 Nov 09:12. */
export function clock(time: string | number, now: number): string {
  const at = new Date(time);
  const today = new Date(now);
  if (at.toDateString() === today.toDateString()) return timeOfDay(at);
  const day = `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""}`;
  const year = at.getFullYear() === today.getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${day}${year} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A moment on an axis from one moment to another: 14:00 within two days, 24 Nov beyond. */
export function axisTime(time: string, from: string, to: string): string {
  const at = new Date(time);
  const isLong = Date.parse(to) - Date.parse(from) > 2 * 86_400_000;
  return isLong
    ? `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""}`
    : `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** The time of day with milliseconds: 14:32:07.118. */
export function exactClock(time: string): string {
  const at = new Date(time);
  return `${timeOfDay(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** A time in full, in the viewer's zone with its offset, and in UTC. */
export function fullTime(time: string | number): string {
  const at = new Date(time);
  const minutes = -at.getTimezoneOffset();
  const offset = `${minutes < 0 ? "-" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${exactClock(at.toISOString())} ${offset} · ${at.toISOString()}`;
}

const UTC_TIME = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g;

/** A sentence of the API, which says times in UTC, with these in the viewer's zone: as all other times of the page. */
export function inViewersZone(sentence: string, now: number): string {
  return sentence.replace(UTC_TIME, (_, day: string, time: string) => clock(`${day}T${time}Z`, now));
}

/** The part of an id by which people tell jobs apart. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function timeOfDay(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

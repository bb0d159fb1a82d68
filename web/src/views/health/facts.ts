/** Facts of a part's health, as the API tells them, in words. */
import { bytes, count } from "@/format/format";

const WORDS: Readonly<Record<string, string>> = {
  servers: "Servers",
  version: "Release",
  used_memory_bytes: "Memory used",
  max_memory_bytes: "Memory at most",
  eviction_policy: "When it is full",
  append_only: "Append-only file",
  last_snapshot: "Last snapshot",
  dropped_reports: "Dropped reports",
  transport: "Transport",
  consuming: "Consume",
  silent: "No answer",
  unconsumed: "Unconsumed",
  some_queues_left_out: "Queues left out",
};

/** Each fact by its name; one that this page does not know stands as it is. */
export function factsOf(facts: Readonly<Record<string, unknown>>): (readonly [name: string, text: string])[] {
  return Object.entries(facts).map(([name, value]) => [
    WORDS[name] ?? name.replaceAll("_", " "),
    textOf(name, value),
  ]);
}

function textOf(name: string, value: unknown): string {
  if (name === "max_memory_bytes" && value === 0) return "no limit";
  if (typeof value === "number") return name.endsWith("_bytes") ? bytes(value) : count(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value))
    return value.length === 0 ? "none" : value.map((each) => textOf("", each)).join(", ");
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    return entries.length === 0
      ? "none"
      : entries.map(([key, each]) => `${key} (${textOf("", each)})`).join(", ");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

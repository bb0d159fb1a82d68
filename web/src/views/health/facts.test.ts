import { expect, test } from "vitest";
import { factsOf } from "./facts";

test("facts are told in words, and what is not known stands as it is", () => {
  const facts = {
    used_memory_bytes: 2_100_000,
    max_memory_bytes: 0,
    append_only: true,
    consuming: ["a", "b"],
    silent: [],
    unconsumed: { "e-mail": 38 },
    brand_new: { nested: [1] },
    nothing: null,
  };
  expect(Object.fromEntries(factsOf(facts))).toEqual({
    "Memory used": "2.1 MB",
    "Memory at most": "no limit",
    "Append-only file": "yes",
    Consume: "a, b",
    "No answer": "none",
    Unconsumed: "e-mail (38)",
    "brand new": "nested (1)",
    nothing: "null",
  });
});

import { expect, test } from "vitest";
import { closer, moved } from "./span";

const NOW = Date.parse("2026-11-29T14:32:07Z");

test("earlier leaves the clock, and later comes back to it", () => {
  const earlier = moved({}, -1, NOW);
  expect(earlier).toEqual({ range: "1h", until: "2026-11-29T13:33Z" });
  const yesterday = moved({ range: "24h", until: "2026-11-29T13:33Z" }, -1, NOW);
  expect(yesterday).toEqual({ range: "24h", until: "2026-11-28T13:33Z" });
  expect(moved(earlier, 1, NOW + 60_000)).toEqual({ range: "1h", until: undefined });
});

test("closer is the shortest span that has both moments, and no later than now", () => {
  const at = Date.parse("2026-11-29T09:00:00Z");
  expect(closer(at, at + 90_000, NOW)).toEqual({ range: "10m", until: "2026-11-29T09:06Z" });
  expect(closer(at, at + 7_200_000, NOW).range).toBe("6h");
  expect(closer(NOW - 60_000, NOW, NOW)).toEqual({ range: "10m", until: undefined });
});

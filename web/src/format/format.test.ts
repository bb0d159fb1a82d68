import { describe, expect, test } from "vitest";
import {
  ago,
  axisTime,
  bytes,
  clock,
  count,
  duration,
  inViewersZone,
  plural,
  secondsBetween,
  share,
  shortCount,
} from "./format";

describe("durations", () => {
  test.each([
    [0, "0 ms"],
    [0.84, "840 ms"],
    [0.9999, "1.0 s"],
    [2.34, "2.3 s"],
    [9.96, "10 s"],
    [41, "41 s"],
    [59.7, "1m 00s"],
    [161, "2m 41s"],
    [599.7, "10m"],
    [38 * 60, "38m"],
    [3599, "1h 00m"],
    [3840, "1h 04m"],
    [86_399, "1d 0h"],
    [3 * 86_400 + 7200, "3d 2h"],
    [-5, "0 ms"],
    [null, "–"],
    [Number.NaN, "–"],
  ])("%s s is %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  test("need both ends", () => {
    expect(secondsBetween("2026-11-29T10:00:00Z", "2026-11-29T10:00:02.5Z")).toBe(2.5);
    expect(secondsBetween("2026-11-29T10:00:00Z", null)).toBeNull();
  });
});

describe("numbers", () => {
  test("counts are exact, and unknown is not 0", () => {
    expect(count(1_284_003)).toBe("1,284,003");
    expect(count(null)).toBe("–");
    expect(count(0)).toBe("0");
  });

  test.each([
    [9_999, "9,999"],
    [12_300, "12 k"],
    [999_499, "999 k"],
    [999_600, "1.0 M"],
    [1_812_406, "1.8 M"],
    [41_000_000, "41 M"],
    [3_200_000_000, "3.2 G"],
  ])("%s is short %s", (value, text) => {
    expect(shortCount(value)).toBe(text);
  });

  test.each([
    [1, "100 %"],
    [0.99999, "99.9 %"],
    [0.027, "2.7 %"],
    [0.0001, "0.1 %"],
    [0, "0 %"],
    [null, "–"],
  ])("a share of %s is %s", (value, text) => {
    expect(share(value)).toBe(text);
  });

  test("sizes and plurals", () => {
    expect([bytes(840), bytes(2_345), bytes(61_000_000)]).toEqual(["840 B", "2.3 kB", "61 MB"]);
    expect([plural(1, "job"), plural(1200, "job")]).toEqual(["1 job", "1,200 jobs"]);
  });
});

describe("times", () => {
  const now = new Date(2026, 10, 29, 14, 32, 7).getTime();

  test("of today are a time of day, others have their date, and those of another year the year", () => {
    expect(clock(now, now)).toBe("14:32:07");
    expect(clock(new Date(2026, 10, 24, 9, 12).getTime(), now)).toBe("24 Nov 09:12");
    expect(clock(new Date(2025, 10, 24, 9, 12).getTime(), now)).toBe("24 Nov 2025 09:12");
  });

  test("ages have one number where that is enough", () => {
    expect(ago(now - 8_000, now)).toBe("8 s ago");
    expect(ago(now - 17 * 60_000, now)).toBe("17m ago");
    expect(ago(now + 200, now)).toBe("now");
    expect(ago(now + 120_000, now)).toBe("in 2m 00s");
  });
});

test("an axis has times of day, and days where it is long", () => {
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour).toISOString();
  expect(axisTime(at(24, 9), at(24, 0), at(25, 0))).toBe("09:00");
  expect(axisTime(at(24, 9), at(20, 0), at(27, 0))).toBe("24 Nov");
});

describe("sentences of the API", () => {
  const now = Date.parse("2026-11-29T10:00:00Z");

  test("have their times in the zone of the page", () => {
    const at = "2026-11-29T09:30:00Z";
    expect(inViewersZone("It began 30 min ago (2026-11-29 09:30:00 UTC), 2 of 3.", now)).toBe(
      `It began 30 min ago (${clock(at, now)}), 2 of 3.`,
    );
  });

  test("stay as they are where they say no time", () => {
    expect(inViewersZone("It waits in queue 'UTC'.", now)).toBe("It waits in queue 'UTC'.");
  });
});

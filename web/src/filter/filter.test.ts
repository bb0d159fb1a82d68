import { describe, expect, test } from "vitest";
import { around, jobsWith, parse, print, toQuery, valueOf, withQualifier } from "./filter";

const parts = (filter: string) => parse(filter).map(({ key, value }) => [key, value]);

describe("a filter is taken apart", () => {
  test("qualifiers and text, with the places where they stand", () => {
    expect(parse("status:failed late")).toEqual([
      { key: "status", value: "failed", text: "status:failed", start: 0 },
      { key: null, value: "late", text: "late", start: 14 },
    ]);
    expect(parse("😀 a:b").at(-1)?.start).toBe(2); // as the API counts: characters
  });

  test("quotes hold a value together, and several values stand as they are", () => {
    expect(parts('tag:"a b" "timed out" type:a,"b c"')).toEqual([
      ["tag", "a b"],
      [null, "timed out"],
      ["type", 'a,"b c"'],
    ]);
    expect(parts(String.raw`name:"say \"hi\" \\o/"`)).toEqual([["name", String.raw`say "hi" \o/`]]);
  });

  test("what makes no sense to the API stays for it to say so", () => {
    expect(parts('colour:red -type:mail name:"half 12:30')).toEqual([
      ["colour", "red"],
      ["type", "mail"],
      ["name", "half 12:30"],
    ]);
    expect(parts("12:30 a:b:c")).toEqual([
      [null, "12:30"],
      ["a", "b:c"],
    ]);
  });
});

describe("a filter can be edited", () => {
  test("printing what was parsed changes nothing", () => {
    const filter = 'status:failed,cancelled -tag:"a b" since:2h late "timed out"';
    expect(print(parse(filter))).toBe(filter);
  });

  test("a qualifier is replaced, added or taken away", () => {
    expect(withQualifier("status:failed late", "status", "pending")).toBe("status:pending late");
    expect(withQualifier("late", "type", "mail")).toBe("type:mail late");
    expect(withQualifier("status:failed late", "status", null)).toBe("late");
    expect(withQualifier("-status:failed", "status", "failed")).toBe("status:failed -status:failed");
    expect(valueOf("status:failed", "status")).toBe("failed");
    expect(valueOf("-status:failed", "status")).toBeNull();
  });

  test("a link names what a number counts", () => {
    expect(jobsWith({ status: "failed", type: 'a "type", b', tag: undefined })).toEqual({
      q: String.raw`status:failed type:"a \"type\", b"`,
    });
  });
});

test("the place of an error is the rest of its term", () => {
  expect(around("😀 status:odd late", 9)).toEqual({ before: "😀 status:", wrong: "odd", after: " late" });
  expect(around("late (", 6)).toEqual({ before: "late (", wrong: "", after: "" });
});

test("the API gets the filter as it is, and the viewer's zone", () => {
  expect(toQuery(" ")).toEqual({});
  expect(toQuery("since:12:00")).toEqual({
    q: "since:12:00",
    tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
});

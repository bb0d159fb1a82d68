import { describe, expect, test } from "vitest";
import { jobsWith, parse, print, toQuery, valueOf, withQualifier } from "./filter";

const NOW = Date.parse("2026-11-29T12:00:00Z");

describe("a filter becomes a query", () => {
  test("qualifiers are parameters, words are a part of the name", () => {
    expect(toQuery("status:failed type:invoice tag:eu late fee", NOW)).toEqual({
      status: "failed",
      job_type: "invoice",
      tag: "eu",
      name: "late fee",
    });
  });

  test("ages count from now, dates from midnight of the viewer", () => {
    expect(toQuery("since:2h", NOW)).toEqual({ created_from: "2026-11-29T10:00:00.000Z" });
    expect(toQuery("since:2026-11-24", NOW)).toEqual({
      created_from: new Date(2026, 10, 24).toISOString(),
    });
    expect(toQuery("ended:2026-11-24T09:30:00Z", NOW)).toEqual({
      finished_from: "2026-11-24T09:30:00.000Z",
    });
  });

  test("values with spaces are quoted", () => {
    expect(toQuery('name:"late fee" tag:"a b"', NOW)).toEqual({ name: "late fee", tag: "a b" });
  });

  test("what makes no sense is left out, and says why", () => {
    const wrong = "status:lost -type:mail since:soon status:failed colour:red priority:";
    expect(toQuery(wrong, NOW)).toEqual({});
    expect(parse(wrong).map((term) => term.problem)).not.toContain(null);
  });
});

describe("a filter can be edited", () => {
  test("printing what was parsed changes nothing", () => {
    const filter = 'status:failed tag:"a b" since:2h late fee';
    expect(print(parse(filter))).toBe(filter);
  });

  test("a qualifier is replaced, added or taken away", () => {
    expect(withQualifier("status:failed late", "status", "pending")).toBe("status:pending late");
    expect(withQualifier("late", "type", "mail")).toBe("type:mail late");
    expect(withQualifier("status:failed late", "status", null)).toBe("late");
    expect(valueOf("status:failed", "status")).toBe("failed");
    expect(valueOf("status:lost", "status")).toBeNull();
  });

  test("a link names what a number counts", () => {
    expect(jobsWith({ status: "failed", type: "a type", tag: undefined })).toEqual({
      q: 'status:failed type:"a type"',
    });
  });
});

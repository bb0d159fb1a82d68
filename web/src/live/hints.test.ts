import { expect, test } from "vitest";
import { concerns, hint, onHint } from "./hints";

test("a hint about one job concerns lists and that job, and no other job", () => {
  const one = { kind: "jobs", jobs: [{ id: "a", what: ["status"], status: "failed" }] } as const;
  expect(concerns(one, "jobs")).toBe(true);
  expect(concerns(one, "jobs", "a")).toBe(true);
  expect(concerns(one, "jobs", "b")).toBe(false);
  expect(concerns(one, "clock")).toBe(false);
});

test("a hint about many jobs concerns every job", () => {
  expect(concerns({ kind: "jobs", jobs: "many" }, "jobs", "b")).toBe(true);
});

test("who has left hears nothing any more", () => {
  const heard: unknown[] = [];
  const leave = onHint((of) => heard.push(of));
  hint({ kind: "clock" });
  leave();
  hint({ kind: "clock" });
  expect(heard).toHaveLength(1);
});

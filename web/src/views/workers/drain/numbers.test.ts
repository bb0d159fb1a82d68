import type { Drain } from "@/api/fleet";
import { expect, test } from "vitest";
import { fatesOf, queuesLeftAlone, splitOf } from "./numbers";

const task = (where: string, if_killed: string, if_stopped = "finishes") =>
  ({ where, if_killed, if_stopped }) as Drain["tasks"][number];

test("fates are counted, the worst first", () => {
  const tasks = [task("active", "comes_back"), task("active", "lost"), task("active", "lost")];
  expect(fatesOf(tasks, "if_killed")).toEqual([
    { fate: "lost", jobs: 2 },
    { fate: "comes_back", jobs: 1 },
  ]);
  expect(fatesOf(tasks, "if_stopped")).toEqual([{ fate: "finishes", jobs: 3 }]);
});

test("what runs is told apart from all that waits there", () => {
  const tasks = [task("active", "lost"), task("reserved", "lost"), task("scheduled", "lost")];
  const { running, waiting } = splitOf({ tasks } as Drain);
  expect([running.length, waiting.length]).toEqual([1, 2]);
});

test("a queue is left alone if no other worker that lives and takes work consumes it", () => {
  const worker = (name: string, queues: string[], more: object = {}) => ({
    ...{ name, queues, state: "online" as const, is_drained: false },
    ...more,
  });
  const workers = [
    worker("a", ["q", "mail", "gpu"]),
    worker("b", ["q"]),
    worker("c", ["mail"], { is_drained: true }),
    worker("d", ["gpu"], { state: "lost" }),
  ];
  expect(queuesLeftAlone("a", ["q", "mail", "gpu"], workers)).toEqual(["mail", "gpu"]);
});

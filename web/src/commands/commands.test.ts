import { expect, test } from "vitest";
import { keyOf } from "./commands";

const pressed = (
  key: string,
  with_: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", true>> = {},
) => keyOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...with_ });

test("letters, shifted letters and the palette have names", () => {
  expect(pressed("j")).toBe("j");
  expect(pressed("X", { shiftKey: true })).toBe("shift+x");
  expect(pressed("?", { shiftKey: true })).toBe("?");
  expect(pressed("k", { metaKey: true })).toBe("mod+k");
  expect(pressed("K", { ctrlKey: true, shiftKey: true })).toBe("mod+k");
});

test("the browser keeps its own keys", () => {
  expect(pressed("c", { ctrlKey: true })).toBeNull();
  expect(pressed("ArrowLeft", { altKey: true })).toBeNull();
});

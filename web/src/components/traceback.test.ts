import { expect, test } from "vitest";
import { partsOf } from "./traceback";

const LIBRARY = "/venv/lib/python3.11/site-packages";
const TEXT = `Traceback (most recent call last):
  File "${LIBRARY}/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "${LIBRARY}/celery/app/trace.py", line 736, in __protected_call__
    return self.run(*args, **kwargs)
  File "/srv/shop/tasks.py", line 88, in capture
    receipt = gateway.capture(order)
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
    obj, end = self.raw_decode(s)
  File "<frozen importlib._bootstrap>", line 1, in _load
ValueError: no "digits"

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 90, in capture
    raise Refused from None
shop.Refused: <b>no</b>`;

test("frames of libraries that stand side by side are one part, with their packages", () => {
  expect(partsOf(TEXT).map(({ kind, frames, packages }) => [kind, frames, packages.join()])).toEqual([
    ["text", 0, ""],
    ["library", 2, "celery"],
    ["ours", 1, ""],
    ["library", 2, "Python,importlib._bootstrap"],
    ["text", 0, ""],
    ["ours", 1, ""],
    ["text", 0, ""],
  ]);
});

test("nothing of the text is lost", () => {
  expect(
    partsOf(TEXT)
      .map(({ text }) => text)
      .join("\n"),
  ).toBe(TEXT);
});

test("what is no traceback is text", () => {
  expect(partsOf("just words").map(({ kind, text }) => [kind, text])).toEqual([["text", "just words"]]);
});

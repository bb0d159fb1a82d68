"""What a process writes without a logger: `capture_output` makes JSON lines of it."""

import json
import subprocess
import sys

PROGRAM = """
import logging, os, sys, threading, warnings
from jobtracker.logging import capture_output, json_handler, write_line

logging.basicConfig(handlers=[json_handler(logging.StreamHandler(), "shop")], level=logging.INFO)
capture_output("other")
capture_output("shop")
logging.getLogger("mine").info("logged", extra={"order": 7})
print("printed", end="")
print(", in pieces\\n\\nand a second line")
print("to the original", file=sys.__stdout__)
print('{"already": "json"}')
print('{no json', file=sys.stderr)
warnings.warn("a warning")
write_line("mine", "in a handler", signal="TERM")
assert sys.__stdout__.fileno() is None
thread = threading.Thread(target=lambda: 1 / 0, name="worker-7")
thread.start()
thread.join()
if (child := os.fork()) == 0:
    print("of a fork")
    os._exit(0)
os.waitpid(child, 0)
raise ValueError("the end")
"""


def test_all_that_a_process_writes_is_json_in_its_order_and_its_crash_is_one_line():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    out, err = ([json.loads(line) for line in text.splitlines()] for text in (ended.stdout, ended.stderr))
    told = ["printed, in pieces", "and a second line", "to the original", None, "of a fork"]
    assert [line.get("message") for line in out] == told
    assert out[3] == {"already": "json"}
    assert {(line["logger"], line["level"], line["service"]) for line in out if "message" in line} == {
        ("stdout", "INFO", "shop")
    }
    logged, plain, warned, handled, thread, crash = err
    assert (logged["message"], logged["order"], logged["service"]) == ("logged", 7, "shop")
    assert (plain["message"], plain["level"], plain["logger"]) == ("{no json", "ERROR", "stderr")
    assert (warned["level"], warned["logger"]) == ("WARNING", "py.warnings")
    assert (handled["message"], handled["signal"]) == ("in a handler", "TERM")
    assert "worker-7" in thread["message"]
    assert "ZeroDivisionError" in thread["exc_info"]
    assert crash["level"] == "CRITICAL"
    assert "ValueError: the end" in crash["exc_info"]

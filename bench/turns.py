"""What a transition costs the server in this checkout, beside another one: `python -m bench.turns FOLDER`.

Each has a server of its own, its own functions, and its own workload (`bench/filling.py`). They take turns of a tenth
of a second, so that both meet the same noise. The figure is the median of what the pairs of turns gave. CPU times
are the servers' own (INFO), without an append-only file.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench.filling import Plan, courses
from bench.pipelining import NotSentError, Packer, send
from jobtracker.connection.client import connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

COURSE = ("create", "start", "end")
_SERVE = "--serve"


def main(
    other: Annotated[Path, typer.Argument(help="The other checkout, e.g. made by `git worktree add`.")],
    turns: Annotated[int, typer.Option(help="Of each; the first one warms up.")] = 24,
    size: Annotated[int, typer.Option(help="Jobs of each turn.")] = 1500,
) -> None:
    """Print the CPU time of each call in both checkouts, and how much more the second one takes."""
    here = Path(__file__).parents[1]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_started(folder, turns * size)) for folder in (other.absolute(), here)]
        took_us: dict[str, list[tuple[float, ...]]] = {verb: [] for verb in COURSE}
        for turn in range(turns):
            for number, verb in enumerate(COURSE):
                order = processes if (turn + number) % 2 else processes[::-1]
                found = {id(each): _asked(each, f"{number} {turn * size} {size}") for each in order}
                took_us[verb].append(tuple(found[id(each)] for each in processes))
    took_us["transitions"] = [
        tuple(map(statistics.mean, zip(*three, strict=True))) for three in zip(*took_us.values(), strict=True)
    ]
    for verb, pairs in took_us.items():
        before, now = map(statistics.median, zip(*pairs[1:], strict=True))
        more = statistics.median(after / first for first, after in pairs[1:]) - 1
        print(f"{verb:12}{before:8.1f} µs {now:8.1f} µs {more:+8.1%}")


def _started(folder: Path, jobs: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, __file__, _SERVE, str(jobs)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=folder)


def _asked(process: "subprocess.Popen[str]", question: str) -> float:
    assert process.stdin
    assert process.stdout
    print(question, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def _serve(jobs: int) -> None:
    """Make the calls that are asked for: each line names a verb, the first job and how many; answer µs for each."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder), config={"appendonly": "no"}) as server,
        connect(server.url, timeout_s=60) as client,
    ):
        keys = Keys("turns")
        JobStore(client, keys).append_log("none", [])  # the functions are there then
        packer = Packer()
        store = JobStore(packer, keys)
        by_job = list(courses(Plan(jobs=jobs, open_share=0)))
        for line in sys.stdin:
            verb, first, size = map(int, line.split())
            for course in by_job[first : first + size]:
                with contextlib.suppress(NotSentError):
                    course[verb].make(store)
            commands = packer.take()
            before = client.info("cpu")
            send(server.port, commands)
            after = client.info("cpu")
            used_s = sum(after[name] - before[name] for name in ("used_cpu_user", "used_cpu_sys"))
            print(used_s / size * 1e6, flush=True)


if __name__ == "__main__":
    if _SERVE in sys.argv:
        _serve(int(sys.argv[-1]))
    else:
        typer.run(main)

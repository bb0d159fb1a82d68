"""A soak from start to end."""

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from support.compose_stack import Stack
from support.serving import SHIPPED_DOCUMENTS

from soak.account import account
from soak.load import Load
from soak.memory import Memory
from soak.orders import Orders
from soak.report import Report
from soak.trouble import REPLICAS, Trouble

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What a soak is to be.

    Attributes:
        minutes: How long the load lasts.
        share: Of what the stack can do, how much it is asked for.
        restart_engine: The command that restarts the engine; None: it is not restarted.
        seed: Decides what is asked for, and what is hit.
        most_mb_per_hour: So much a process may grow.
    """

    minutes: float
    share: float
    restart_engine: str | None
    seed: int
    most_mb_per_hour: float


def run(wanted: Wanted, say: Callable[[str], None]) -> Report:
    """Build and start a stack, ask it for as long as wanted, account for all jobs, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    documents = folder / "documents"
    shutil.copytree(SHIPPED_DOCUMENTS, documents)
    folder.chmod(0o755)
    stack = Stack()
    stack.env |= REPLICAS | {"DOCUMENTS_DIR": str(documents), "CONCURRENCY": "4", "COMPOSE_PROFILES": ""}
    stack.env["STORE_ARGUMENTS"] = "full"  # else a message that Celery loses with a killed worker can't be sent again
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def do(work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, loop)

    try:
        say("build and start")
        stack.make("build")
        stack.make("run")
        trouble = Trouble(stack, wanted.minutes, wanted.restart_engine, wanted.seed)
        load = Load(str(stack.http.base_url), Orders(wanted.seed), documents, trouble.send_chains)
        memory = Memory(stack, load.jobs)
        memory.start()
        most = do(load.most()).result()
        rate = wanted.share * most
        say(f"the most: {most:.1f} operations a second; now {rate:.1f} for {wanted.minutes:g} minutes")
        stop = asyncio.Event()
        began_s = time.time()
        at_rate = do(load.at_rate(rate, stop))
        trouble.run(say)
        loop.call_soon_threadsafe(stop.set)
        ended_s = time.time()
        at_rate.result()
        say(f"account for {len(load.jobs)} jobs")
        found = do(account(load)).result()
        memory.done.set()
        memory.join()
        do(load.close()).result()
        try:
            doctor = stack.compose("exec", "-T", "api", "jobtracker", "doctor")
            doctor_is_content = True
        except AssertionError as error:
            doctor, doctor_is_content = str(error), False
        return Report(wanted, most, began_s, ended_s, load, trouble, memory, found, doctor, doctor_is_content)
    except BaseException:
        say(stack.compose("logs", "--tail", "60"))
        raise
    finally:
        loop.call_soon_threadsafe(loop.stop)
        stack.remove()
        shutil.rmtree(folder)

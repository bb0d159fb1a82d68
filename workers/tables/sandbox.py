"""A database that can read the files of one job and do nothing else to the machine."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb

from workers.errors import InputError, NameRefusedError
from workers.tables.refusals import refusal
from workers.tables.settings import TableSettings

SPILL_LIMIT_BYTES = 2 * 1024**3
"""How much of a table that does not fit into memory may go to disk."""

_POLL_INTERVAL_S = 0.2
"""How often it is looked how far a watched statement is."""

_GLOB = re.compile(r"[*?\[\]{}]")
T = TypeVar("T")


class Sandbox:
    """A DuckDB in memory, locked to some files; to be used as a context manager.

    The settings are locked before anything of the payload is looked at, so that not even a hole in the compiler could
    reach another file, the network or an extension.
    """

    def __init__(self, files: Sequence[Path], spill: Path) -> None:
        """Open the sandbox.

        Args:
            files: The only ones that can be read, and written.
            spill: A folder for what does not fit into memory.

        Raises:
            NameRefusedError: A path has a character that DuckDB takes for a pattern.
        """
        for file in files:
            if _GLOB.search(str(file)):
                raise NameRefusedError(f"{file.name!r} cannot be read: rename it without any of * ? [ ] {{ }}")
        self._files = files
        settings = TableSettings.from_env()
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": settings.table_threads,
                "memory_limit": f"{settings.table_memory_mb}MB",
                "temp_directory": str(spill),
                "max_temp_directory_size": f"{SPILL_LIMIT_BYTES}B",
                "autoload_known_extensions": False,
                "autoinstall_known_extensions": False,
                "allow_community_extensions": False,
            },
        )
        # In this order: paths can be allowed only while access is still open.
        self._connection.execute("SET allowed_paths = ?", [list(map(str, files))])
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, in order, each with its SQL type."""
        return {str(row[0]): str(row[1]) for row in self.execute(f"DESCRIBE {table}")}

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self.execute(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 (a name of ours)

    def execute(
        self, sql: str, values: Sequence[Any] = (), check: Callable[[], object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement, and give its rows.

        Args:
            sql: With "?" for each value.
            values: What stands for each "?".
            check: Called about five times a second while the statement runs; what it raises stops that.

        Raises:
            InputError: DuckDB refuses: a type does not fit, the file is damaged.
            ValueRefusedError: A value does not fit its type.
            OverBudgetError: DuckDB's memory, or the disk, is short.
            MemoryError: The process's is.
            BaseException: What the check raised, once the statement has stopped.
        """
        with self._errors():
            if check is None:
                return self._connection.execute(sql, list(values)).fetchall()
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="duckdb") as thread:
                running = self._begin(thread, sql, values)
                try:
                    return self._watched(running, check)
                except BaseException:
                    self._stop(running.done)
                    raise

    def batches(self, sql: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """Run one statement, and give its rows so many at a time; no other may run meanwhile.

        Raises:
            InputError: As execute.
        """
        with self._errors():
            result = self._connection.execute(sql)
            while batch := result.fetchmany(rows):
                yield batch

    def _begin(self, thread: ThreadPoolExecutor, sql: str, values: Sequence[Any]) -> Future[list[tuple[Any, ...]]]:
        try:
            return thread.submit(lambda: self._connection.execute(sql, list(values)).fetchall())
        except RuntimeError as error:  # "can't start new thread": there is no memory left for its stack
            raise MemoryError from error

    @staticmethod
    def _watched(running: Future[T], check: Callable[[], object]) -> T:
        while True:
            try:
                return running.result(timeout=_POLL_INTERVAL_S)
            except FutureTimeoutError:
                check()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what DuckDB refuses as an error of ours."""
        try:
            yield
        except duckdb.Error as error:
            raise refusal(error, self._files) from error
        except (OverflowError, UnicodeError) as error:
            raise InputError(f"a value or name cannot be used in the database ({type(error).__name__})") from error

    def _stop(self, is_done: Callable[[], bool]) -> None:
        """Interrupt until the query has ended: an interrupt that comes before it began does nothing."""
        while not is_done():
            self._connection.interrupt()
            time.sleep(0.01)

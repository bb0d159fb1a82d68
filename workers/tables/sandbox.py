"""A database that can read one file and do nothing else to the machine."""

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import duckdb

from workers.errors import InputError, NameRefusedError

MEMORY_LIMIT_BYTES = 512 * 1024**2
SPILL_LIMIT_BYTES = 2 * 1024**3
"""How much of a table that does not fit into memory may go to disk."""

THREADS = 2
POLL_INTERVAL_S = 0.2
"""How often a running query lets the job look whether it is to stop."""

READERS = {
    "json": "read_json(?, format = 'auto', sample_size = -1, hive_partitioning = false)",
    "jsonl": "read_json(?, format = 'newline_delimited', sample_size = -1, hive_partitioning = false)",
    "parquet": "read_parquet(?, hive_partitioning = false)",
}
"""How each format but CSV (csv_table.py) is read; types are found by looking at all rows, not at the first ones."""

_GLOB = re.compile(r"[*?\[\]{}]")


class Sandbox:
    """A DuckDB in memory, locked to reading one file; as a context manager it leaves nothing behind.

    Spilled data goes to a temporary folder of its own. The settings are locked before anything of the payload is
    looked at, so that not even a hole in the compiler could reach another file, the network or an extension.
    """

    def __init__(self, source: Path, check: Callable[[], object]) -> None:
        """Open the sandbox.

        Args:
            source: The only file that can be read.
            check: Called about five times a second while a query runs; what it raises stops the query.

        Raises:
            NameRefusedError: The path has a character that DuckDB takes for a pattern.
        """
        if _GLOB.search(str(source)):
            raise NameRefusedError(f"{source.name!r} cannot be read: rename it without any of * ? [ ] {{ }}")
        self._source = source
        self._check = check
        self._spill = TemporaryDirectory(prefix="data-processing-")
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": THREADS,
                "memory_limit": f"{MEMORY_LIMIT_BYTES}B",
                "temp_directory": self._spill.name,
                "max_temp_directory_size": f"{SPILL_LIMIT_BYTES}B",
                "autoload_known_extensions": False,
                "autoinstall_known_extensions": False,
                "allow_community_extensions": False,
            },
        )
        # In this order: paths can be allowed only while access is still open.
        self._connection.execute("SET allowed_paths = ?", [[str(source)]])
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET lock_configuration = true")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="duckdb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        self._connection.close()
        self._spill.cleanup()

    def load(self, format_: str, table: str) -> None:
        """Read the file into a table of that name."""
        self.execute(f"CREATE TEMP TABLE {table} AS FROM {READERS[format_]}", [str(self._source)])

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, in order, each with its SQL type."""
        return {str(row[0]): str(row[1]) for row in self.execute(f"DESCRIBE {table}")}

    def execute(self, sql: str, values: Sequence[Any] = (), max_rows: int | None = None) -> list[tuple[Any, ...]]:
        """Run one statement.

        Args:
            sql: With "?" for each value.
            values: What stands for each "?".
            max_rows: How many rows to fetch; by default all.

        Raises:
            InputError: DuckDB refuses: a type or value does not fit, the file is damaged, memory is short.
            BaseException: What the check raised, once the query has stopped.
        """

        def run() -> list[tuple[Any, ...]]:
            result = self._connection.execute(sql, list(values))
            return result.fetchall() if max_rows is None else result.fetchmany(max_rows)

        # The query runs in a thread, so that the check runs in the one that the job belongs to.
        future = self._thread.submit(run)
        try:
            while True:
                try:
                    return future.result(timeout=POLL_INTERVAL_S)
                except FutureTimeoutError:
                    self._check()
        except duckdb.Error as error:
            raise InputError(self._explain(error)) from error
        except (OverflowError, UnicodeError) as error:
            raise InputError(f"a value or name cannot be used in the database: {error}") from error
        except BaseException:
            self._stop(future.done)
            raise

    def _stop(self, is_done: Callable[[], bool]) -> None:
        """Interrupt until the query has ended: an interrupt that comes before it began does nothing."""
        while not is_done():
            self._connection.interrupt()
            time.sleep(0.01)

    def _explain(self, error: duckdb.Error) -> str:
        """Say what is wrong in DuckDB's words, without the path of the file and the query."""
        message = str(error).split("\n\nLINE ")[0].split("\n")[0]
        return message.replace(str(self._source), self._source.name)

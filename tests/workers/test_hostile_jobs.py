"""Each task, given small bombs as its worker runs it: it ends within its budget, and the next work is done."""

import json
from contextlib import suppress

import pytest
from support.confined_work import confined_processes
from support.small_bombs import BOMBS

from workers.confined.budget import Budget
from workers.confined.caller import close_idle, run_confined
from workers.errors import InputError

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]
BUDGET = Budget(job_memory_mb=300, job_cpu_s=10, job_wall_s=60)
TEXTS = {
    "stops": "." * 300_000 + "x",
    "spaces": "# a" + " " * 300_000 + "b",
    "backticks": "`" * 300_000,
    "names": "Mr. A. " * 40_000,
    "doses": "1 mg " * 60_000,
    "digits": "1" * 300_000,
    "signs": "a@" * 150_000,
    "nulls": "\0" * 300_000,
    "surrogates": "\ud800" * 1_000,
}
TEN_TIMES = {"step": "derive", "column": "a", "value": {"op": "concat", "args": [{"column": "a"}] * 10}}
REPLACED = {"op": "replace", "args": [{"column": "a"}, {"value": "x"}, {"value": "x" * 1_000}]}
TABLES = {
    "grows": {"rows": [{"a": "x" * 10}], "steps": [TEN_TIMES] * 7 + [{**TEN_TIMES, "value": REPLACED}]},
    "parts": {"rows": [{"a": "x"}], "steps": [{**TEN_TIMES, "value": {"op": "concat", "args": [REPLACED] * 90}}]},
    "wide": {"rows": [{f"c{n}": n for n in range(2_000)}]},
    "deep": {"text": "[" * 100_000, "format": "json"},
    "long line": {"text": "a" * 3_000_000, "format": "csv"},
    "quotes": {"text": '"' * 1_000_001, "format": "csv"},
    "joined": {
        "rows": [{"a": 1}] * 20_000,
        "steps": [{"step": "join", "table": {"rows": [{"a": 1}] * 20_000}, "on": ["a"]}],
    },
}


@pytest.fixture(autouse=True, scope="module")
def few_processes():
    yield
    close_idle()
    assert confined_processes() == set()


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """A folder of documents with all of them."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, bomb in BOMBS.items():
        (folder / name).write_bytes(bomb())
    return folder


def ends_well(work: str, **arguments) -> None:
    """The work gives JSON, or refuses; and the next work is done."""
    with suppress(InputError):
        json.dumps(run_confined(work, budget=BUDGET, **arguments))
    assert run_confined("checksum:run", payload={"text": "x"}, algorithm="sha256")["characters"] == 1
    assert len(confined_processes()) == 1


def ends_well_with(payload: dict[str, str]) -> None:
    ends_well("document_analysis:run", payload=payload, results=None)
    ends_well("medication_extraction:run", payload=payload)
    ends_well("entity_extraction:run", payload=payload)


@pytest.mark.parametrize("name", BOMBS)
def test_documents(bombs, monkeypatch, name):
    monkeypatch.setenv("DOCUMENTS_DIR", str(bombs))
    close_idle()  # the process has the environment of its start
    ends_well_with({"document_id": name})


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name):
    ends_well_with({"text": TEXTS[name]})


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    ends_well("data_processing:run", payload=TABLES[name])

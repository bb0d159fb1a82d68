"""A folder as an object store."""

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobtracker.objects.folder import FolderStore
from jobtracker.objects.object_store import ObjectStoreAwayError, ObjectStoreError


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


def test_an_object_is_for_this_user_only(store):
    store.put("a/b/one", [b"abc"])
    assert oct((store.path / "a/b/one").stat().st_mode & 0o777) == "0o600"


def test_an_object_that_fails_half_way_leaves_nothing(store):
    def broken():
        yield b"begin"
        raise RuntimeError("its source broke")

    store.put("one", [b"earlier"])
    for name in ("one", "two"):
        with pytest.raises(RuntimeError):
            store.put(name, broken())
    assert b"".join(store.read("one")) == b"earlier"
    assert [path.name for path in store.path.iterdir()] == ["one"]


def test_a_deleted_object_takes_its_empty_folders_along(store):
    store.put("a/b/one", [b"1"])
    store.put("a/two", [b"2"])
    store.delete("a/b/one")
    assert sorted(path.name for path in (store.path / "a").iterdir()) == ["two"]
    store.delete("a/two")
    assert [path.name for path in store.path.rglob("*")] == ["a"]


def test_parts_of_killed_processes_are_not_listed_and_go_once_they_are_old(store):
    store.put("a/1", [b"x"])
    young, old = store.path / "a" / "2.part-1234", store.path / "a" / "3.part-1234"
    for each in (young, old):
        each.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert [each.name for each in store.list("a/")] == ["a/1"]
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/."])
def test_a_name_never_leads_out_of_the_folder(store, name):
    with pytest.raises(ValueError, match="no name of an object"):
        store.put(name, [b"x"])


def test_a_folder_that_can_not_be_made_is_an_error_that_names_the_setting(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ObjectStoreError, match="OBJECTS_DIR must name a folder"):
        FolderStore(tmp_path / "file" / "objects").check()


def test_objects_are_written_while_others_take_the_last_one_of_the_folder_away(store):
    def write(number):
        for turn in range(50):
            name = f"a/b/{number}-{turn}"
            store.put(name, [b"x"])
            store.delete(name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert list(store.list("a/")) == []


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.read("a/b"),
        lambda store: store.info("a/b"),
        lambda store: store.delete("a/b"),
        lambda store: list(store.list("a/")),
    ],
)
def test_a_folder_that_is_not_mounted_is_away_and_lacks_nothing(store, use):
    with pytest.raises(ObjectStoreAwayError, match="Is it mounted"):
        use(store)


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_what_was_opened_and_never_read_is_closed(store):
    store.put("a/one", [b"x"])
    before = open_files()
    for _ in range(20):
        store.read("a/one")
    assert open_files() == before


def test_a_file_that_the_system_does_not_take_whole_is_an_error_and_leaves_nothing(store):
    store.put("a/one", [b"earlier"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # as on a full disk: so much fits, and no more
    try:
        with pytest.raises(ObjectStoreError, match="File too large"):
            store.put("a/one", [b"x" * 60_000] * 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert b"".join(store.read("a/one")) == b"earlier"
    assert [path.name for path in (store.path / "a").iterdir()] == ["one"]

"""What a folder and a bucket have in common."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobtracker.objects.folder import FolderStore
from jobtracker.objects.object_store import ObjectMissingError


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path / "objects")
    return request.getfixturevalue("bucket")


def test_an_object_is_read_as_it_was_written(store):
    assert store.put("a/b/one", [b"abc", b"", b"defg"]) == 7
    assert b"".join(store.read("a/b/one")) == b"abcdefg"
    assert store.info("a/b/one").size_bytes == 7
    assert store.info("a/b/one").name == "a/b/one"


def test_an_object_may_be_empty(store):
    assert store.put("one", []) == 0
    assert list(store.read("one")) == []
    assert store.info("one").size_bytes == 0


@pytest.mark.parametrize(
    ("start", "end", "read"),
    [(2, None, b"cdefg"), (0, 3, b"abc"), (6, 99, b"g"), (7, None, b""), (9, 99, b""), (3, 3, b"")],
)
def test_a_part_of_an_object_can_be_read(store, start, end, read):
    store.put("one", [b"abcdefg"])
    assert b"".join(store.read("one", start, end)) == read


@pytest.mark.parametrize("size", [1_000_000, 2**21 - 1, 2**21, 5_000_000])
def test_a_large_object_is_written_and_read_in_pieces(store, size):
    content = os.urandom(size)
    assert store.put("large", (content[at : at + 99_999] for at in range(0, size, 99_999))) == size
    pieces = list(store.read("large"))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) < 300_000
    assert b"".join(store.read("large", 900_000, 999_990)) == content[900_000:999_990]


@pytest.mark.parametrize("parts", [1, 60])
def test_an_object_that_fails_half_way_is_not_there(store, parts):
    def broken():
        for _ in range(parts):
            yield b"x" * 100_000
        raise RuntimeError("its source broke")

    store.put("one", [b"earlier"])
    for name in ("one", "two"):
        with pytest.raises(RuntimeError):
            store.put(name, broken())
    assert b"".join(store.read("one")) == b"earlier"
    assert [each.name for each in store.list("")] == ["one"]


def test_an_object_is_replaced(store):
    store.put("one", [b"earlier"])
    store.put("one", [b"later"])
    assert b"".join(store.read("one")) == b"later"


def test_a_missing_object_is_an_error_when_it_is_opened(store):
    store.put("x/z", [b"another"])
    store.delete("x/z")
    with pytest.raises(ObjectMissingError, match="no 'x/y'"):
        store.read("x/y")
    assert store.info("x/y") is None
    store.delete("x/y")


def test_a_deleted_object_is_not_there(store):
    store.put("a/one", [b"1"])
    store.put("a/two", [b"2"])
    store.delete("a/one")
    assert [each.name for each in store.list("a/")] == ["a/two"]
    assert store.info("a/one") is None


def test_a_list_has_what_begins_with_the_prefix(store):
    for name in ("a/1", "a/b/2", "ab/3", "c"):
        store.put(name, [b"xyz"])
    assert sorted(each.name for each in store.list("a/")) == ["a/1", "a/b/2"]
    assert {(each.size_bytes, store.info(each.name) == each) for each in store.list("")} == {(3, True)}
    assert list(store.list("z/")) == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/."])
def test_a_name_never_leads_elsewhere(store, name):
    with pytest.raises(ValueError, match="no name of an object"):
        store.put(name, [b"x"])
    with pytest.raises(ValueError, match="no name of an object"):
        store.read(name)


def test_threads_share_a_store(store):
    def write(number):
        for turn in range(10):
            name = f"a/b/{number}-{turn}"
            store.put(name, [b"x"])
            assert b"".join(store.read(name)) == b"x"
            store.delete(name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert list(store.list("a/")) == []


def test_a_check_leaves_nothing(store):
    store.check()
    assert list(store.list("")) == []

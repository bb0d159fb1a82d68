"""The file of a backup: a damaged one is seen, and a file is whole or not there."""

import gzip
import io
import random
import uuid
import zlib

import msgpack
import pytest
from support.backups import back_up, restoring, values_of
from support.recount import keys_of
from support.sample_jobs import create_job

from jobtracker.store.backup_file import BackupFileError, BackupReader, BackupWriter, Jobs, OtherKeys, new_file
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

HEADER = {"schema": 1, "made_by": "jobtracker 9", "namespace": "n", "partitions": 1, "began_ms": 1}
RANDOM = random.Random(7)
ENTRIES = [Jobs(0, [RANDOM.randbytes(90 * n)]) for n in range(20)] + [OtherKeys(0, [b"key"])]


def written(header=HEADER, entries=ENTRIES, told=None):
    stream = io.BytesIO()
    writer = BackupWriter(stream, header)
    for entry in entries:
        writer.add(entry)
    writer.end({"moment_ms": 5} if told is None else told)
    assert writer.written == len(stream.getvalue())
    return stream.getvalue()


def read(data):
    reader = BackupReader(io.BytesIO(data), "FILE")
    found = list(reader.entries())
    return found, reader


def refusal(data):
    with pytest.raises(BackupFileError) as raised:
        read(data)
    return str(raised.value)


def test_what_was_written_is_read():
    found, reader = read(written())
    assert found == ENTRIES
    assert reader.header == {"format": 1, **HEADER}
    assert reader.told == {"moment_ms": 5}


def test_a_file_that_was_cut_off_anywhere_is_seen():
    data = written()
    for length in [0, *range(2, 40), *range(40, len(data), 97), *range(len(data) - 30, len(data))]:
        assert "it was cut off" in refusal(data[:length]), length


def test_a_file_that_ends_between_two_values_is_seen():
    """By a whole gzip without the end mark: as a program would write it that died."""
    values = gzip.decompress(written())
    unpacker = msgpack.Unpacker(io.BytesIO(values), raw=True)
    for _ in range(15):
        unpacker.skip()
    assert "it was cut off" in refusal(gzip.compress(values[: unpacker.tell()]))


def test_a_changed_byte_is_seen_wherever_it_is():
    data = written()
    unseen = 0
    for at in range(10, len(data), 61):
        spoiled = bytearray(data)
        spoiled[at] ^= 0x20
        if _unpacked(spoiled) == gzip.decompress(data):
            unseen += 1  # a bit of a code that is not used, say
        else:
            assert "is damaged" in refusal(bytes(spoiled)), at
    assert unseen < 3


def _unpacked(data):
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def test_another_value_is_seen_though_its_gzip_is_right():
    values = bytearray(gzip.decompress(written()))
    values[len(values) // 2] ^= 1
    assert "its checksum is wrong" in refusal(gzip.compress(bytes(values)))


def test_what_follows_the_end_is_seen():
    data = written()
    assert "it goes on behind its end" in refusal(data + gzip.compress(b"\x01"))
    assert "it goes on behind its end" in refusal(gzip.compress(gzip.decompress(data) + b"\x01"))


@pytest.mark.parametrize(
    "data",
    [b"what is that", gzip.compress(b"\x93\x01\x02\x03"), gzip.compress(msgpack.packb(["x", {}]))],
    ids=["text", "a gzip", "of another program"],
)
def test_something_else_is_no_backup(data):
    assert "is no backup of jobtracker" in refusal(data)


def test_another_format_or_schema_is_refused(client, keys):
    values = gzip.decompress(written()).replace(msgpack.packb("format") + b"\x01", msgpack.packb("format") + b"\x02")
    assert refusal(gzip.compress(values)) == (
        "FILE has the format 2, and this release reads the format 1. Restore it with the release that wrote it: "
        "jobtracker 9."
    )
    for schema, age in ((2, "a newer"), (0, "an older")):
        with pytest.raises(BackupFileError, match=rf"made by {age} release \(jobtracker 9\).*schema {schema}"):
            restoring(client, Keys(keys.namespace), written(header={**HEADER, "schema": schema}))


def test_partitions_that_it_does_not_have_are_seen(client, keys):
    reader, work = restoring(client, Keys(keys.namespace), written(entries=[OtherKeys(1, [b""])]))
    with pytest.raises(BackupFileError, match="names partition 1"):
        work.run(reader, keep_open=True)


def test_its_values_are_as_they_are_documented(client):
    keys = Keys(f"test-{uuid.uuid4().hex}")
    create_job(JobStore(client, keys), "j")
    first, *entries, last = values_of(back_up(client, keys))
    assert first[0] == b"jobtracker backup"
    assert {entry[0] for entry in entries} <= {b"jobs", b"keys"}
    job = msgpack.unpackb(next(entry for entry in entries if entry[0] == b"jobs")[2][0], raw=True)
    assert job.keys() == {b"id", b"job"}
    assert (last[0], last[1][b"jobs"], len(last[2])) == (b"end", 1, 32)
    client.unlink(*keys_of(client, keys))


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "b"
    path.write_bytes(b"before")

    with pytest.raises(ZeroDivisionError), new_file(path) as stream:
        stream.write(bytes(1 // 0))
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("b", b"before")]
    with new_file(path) as stream:
        stream.write(b"whole")
        assert path.read_bytes() == b"before"
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("b", b"whole")]
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_can_not_be_written_says_why(tmp_path):
    with (
        pytest.raises(BackupFileError, match=r"away/b was not written: No such file or directory"),
        new_file(tmp_path / "away" / "b"),
    ):
        pass
    with pytest.raises(BackupFileError, match="no regular file"), new_file(tmp_path):
        pass

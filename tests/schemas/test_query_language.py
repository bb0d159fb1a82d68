"""The query language: what each query says, and what a wrong one is told."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.core.lifecycle import Status
from jobtracker.schemas.filters import JobFilter, NumberRange, Origin, TimeRange
from jobtracker.schemas.query_language import (
    InvalidQueryError,
    UnknownZoneError,
    parse,
    terms_of,
    typed_at,
    with_query,
)
from jobtracker.schemas.query_qualifiers import QUALIFIERS

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(*parts):
    return datetime(2026, 11, *parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", {}),
        ("status:failed", {"status": Status.FAILED}),
        ("status:failed,cancelled", {"status": (Status.FAILED, Status.CANCELLED)}),
        ("status:failed  status:cancelled", {"status": (Status.FAILED, Status.CANCELLED)}),
        ("type:invoice queue:mail worker:w1@host", {"job_type": "invoice", "queue": "mail", "worker": "w1@host"}),
        ('tag:"a, b",eu', {"tag": ("a, b", "eu")}),
        (r'name:"say \"hi\" \\o/"', {"name": r'say "hi" \o/'}),
        ('late "timed out" 12:30, a:', None),
        ('late "timed out" 12:30,', {"text": ("late", "timed out", "12:30,")}),
        ("- a -", {"text": ("-", "a")}),
        ("-type:mail,sms", {"excluded": (JobFilter(job_type=("mail", "sms")),)}),
        ('-type:mail -"timed out" -has:log', {"excluded": (
            JobFilter(job_type="mail"), JobFilter(text="timed out"), JobFilter(has_log=True))}),
        ("since:2h", {"created": TimeRange(since=at(29, 10))}),
        ("since:1d until:30m", {"created": TimeRange(since=at(28, 12), until=at(29, 11, 30))}),
        ("since:1d since:2h", {"created": TimeRange(since=at(29, 10))}),
        ("started:2026-11-24", {"started": TimeRange(since=at(24))}),
        ("finished:2026-11-24T09:30+02:00..", {"finished": TimeRange(since=at(24, 7, 30))}),
        ("finished:..11:00", {"finished": TimeRange(until=at(29, 11))}),
        ("finished:11:00..11:30:05", {"finished": TimeRange(since=at(29, 11), until=at(29, 11, 30, 5))}),
        ("running_at:14:02", {"running_at": at(28, 14, 2)}),
        ("run:>30s", {"run_ms": NumberRange(low=30_001)}),
        ("run:>=1.5s run:<5m", {"run_ms": NumberRange(low=1500, high=299_999)}),
        ("wait:1m..1h", {"wait_ms": NumberRange(low=60_000, high=3_600_000)}),
        ("retries:>0 losses:0", {"retries": NumberRange(low=1), "losses": NumberRange(low=0, high=0)}),
        ("retries:<=2", {"retries": NumberRange(high=2)}),
        ("origin:task has:log", {"origin": Origin.TASK, "has_log": True}),
    ],
)  # fmt: skip
def test_a_query_says(query, says):
    if says is None:
        with pytest.raises(InvalidQueryError):
            parse(query, now=NOW)
    else:
        assert parse(query, now=NOW) == JobFilter(**says)


def test_times_without_a_zone_are_of_the_one_that_is_given():
    assert parse("since:2026-11-24", now=NOW, zone=BERLIN).created.since == at(23, 23)
    assert parse("running_at:12:30", now=NOW, zone=BERLIN).running_at == at(29, 11, 30)
    assert parse("since:2026-11-24T00:00Z", now=NOW, zone=BERLIN).created.since == at(24)
    for name in ("Europe/Atlantis", "../../etc/passwd", "", "x" * 1000):
        with pytest.raises(UnknownZoneError, match="There is no time zone"):
            with_query(JobFilter(), "since:12:00", name)


@pytest.mark.parametrize(
    ("query", "wrong", "why"),
    [
        ("colour:red", "colour:red", 'write "colour:red". Known are: status, type'),
        ("late stauts:failed", "stauts:failed", "Did you mean status:?"),
        ("status:lost", "lost", "it is no status. Write one of: pending, running"),
        ("status:failed,", "", "a value is missing: pending, running"),
        ("type: x", "", "a value is missing: a job type"),
        ('""', '""', "a value is missing: some text"),
        ('name:"half', '"half', "the quote is not closed"),
        ('"half\\"', '"half\\"', "the quote is not closed"),
        ('"a"b', '"a"b', "a space must follow the quote"),
        ("since:soon", "soon", "it is no time. Write 2h"),
        ("since:2026-13-45", "2026-13-45", "it is no time"),
        ("since:999999999w", "999999999w", "it is no time"),
        ("since:25:00", "25:00", "it is no time"),
        ("since:1h,2h", "2h", "since: has one value"),
        ("finished:..", "..", "a time is missing"),
        ("finished:1h..2h", "1h..2h", "it ends before it begins"),
        ("run:30s", "30s", "it says neither more nor less. Write >30s"),
        ("run:>30", ">30", "it can't be read. Write >30s"),
        ("retries:many", "many", "it can't be read. Write 2, >0"),
        ("retries:3..1", "3..1", "it ends before it begins"),
        ("has:result", "result", "Write has:log"),
        ("running_at:1h running_at:2h", "running_at:2h", "stands there twice"),
        ("x " * 51, "x", "at most 50 terms"),
        ("type:" + ",".join(map(str, range(51))), "type:" + ",".join(map(str, range(51))), "at most 50 values"),
        ("name:" + "x" * 300, "x" * 300, "at most 255 characters"),
        ("x" * 2001, "x", "at most 2000 characters"),
    ],
)
def test_a_wrong_query_says_where_why_and_what_is_allowed(query, wrong, why):
    with pytest.raises(InvalidQueryError) as error:
        parse(query, now=NOW)
    assert query[error.value.position : error.value.end] == wrong
    assert why in str(error.value)
    assert f"character {error.value.position + 1}" in str(error.value) or wrong == ""


def test_a_query_and_parameters_are_one_filter_and_name_nothing_twice():
    wanted = with_query(JobFilter(status=Status.FAILED), "type:mail -queue:slow")
    assert wanted == JobFilter(status=Status.FAILED, job_type="mail", excluded=(JobFilter(queue="slow"),))
    with pytest.raises(InvalidQueryError, match="filters by status, and so does another parameter"):
        with_query(JobFilter(status=Status.FAILED), "status:failed")


@given(st.text(alphabet='ab:-",\\ \n\t.<>1hé', max_size=40) | st.text(max_size=40))
def test_any_text_is_a_query_or_wrong_at_a_place(query):
    terms = list(terms_of(query))
    assert all(first.end <= second.start for first, second in itertools.pairwise(terms))
    for place in range(len(query) + 1):
        assert typed_at(query, place).start <= place
    wrong = None
    try:
        parse(query, now=NOW)
    except InvalidQueryError as error:
        wrong = error
    assert wrong is None or 0 <= wrong.position <= wrong.end <= len(query)


def test_every_filter_has_a_qualifier():
    named = {qualifier.field for qualifier in QUALIFIERS.values()}
    assert named | {"text"} == set(JobFilter.model_fields) - {"excluded", "sort", "limited_to_tag"}


@pytest.mark.parametrize(
    ("query", "start", "key", "begun"),
    [
        ("", 0, None, ""),
        ("sta", 0, None, "sta"),
        ("-sta", 1, None, "sta"),
        ("status:fai", 7, "status", "fai"),
        ("a status:failed,ca", 16, "status", "ca"),
        ("a ", 2, None, ""),
        ('type:"two wo', 5, "type", "two wo"),
        ("type:", 5, "type", ""),
        ("colour:re", 0, None, "colour:re"),
    ],
)
def test_what_is_being_typed(query, start, key, begun):
    typed = typed_at(query, len(query))
    assert (typed.start, typed.key and typed.key.name, typed.begun) == (start, key, begun)

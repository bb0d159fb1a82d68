"""Which failures get one fingerprint, and what it tells of them."""

import json
import linecache
import traceback

import pytest

from jobtracker.core.fingerprint import fingerprint, mask, type_name

SHOP = """
import json
def customer(name):
    raise LookupError(f"No customer {name} in region EU")
def rate(rates, country):
    return rates[country]["vat_rate"]
def quantity(text):
    return int(text)
def read(text):
    return json.loads(text)
def total(text):
    try:
        return quantity(text)
    except ValueError as error:
        raise RuntimeError("bad total") from error
def deep(n):
    return deep(n + 1) if n % 2 else other(n + 1)
def other(n):
    return deep(n)
def group(*errors):
    raise ExceptionGroup("several", list(errors))
"""


def failed(call, path="/srv/shop/1.4.2/billing.py", before=0):
    """The fingerprint of what a call raises in a module at a path, in which some lines come before."""
    source = "\n" * before + SHOP
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    module = {}
    exec(compile(source, path, "exec"), module)
    try:
        call(module)
    except BaseException as error:  # noqa: BLE001 (each test raises its own)
        return fingerprint(type_name(error), str(error), "".join(traceback.format_exception(error)))
    raise AssertionError("it has not failed")


def same(*found):
    return len({each.group for each in found}) == 1


def test_data_lines_and_releases_split_no_group():
    first = failed(lambda m: m["customer"]("ACME Corp"))
    assert same(
        first,
        failed(lambda m: m["customer"]("Mr. X 12"), before=7),
        failed(lambda m: m["customer"]("x"), "/srv/shop/1.5.0/billing.py"),
        failed(lambda m: m["customer"]("x"), r"C:\apps\1.5.0\billing.py"),
    )
    assert first.type == "LookupError"
    assert first.message == "No customer <…> in region EU"
    assert first.frames[-1] == "<n>/billing.py:customer"


def test_type_place_and_what_was_wrong_split_groups():
    found = [
        failed(lambda m: m["customer"]("x")),
        failed(lambda m: m["rate"]({}, "DE")),
        failed(lambda m: m["rate"](None, "DE")),
        failed(lambda m: m["quantity"]("x")),
        failed(lambda m: m["quantity"](None)),
        failed(lambda m: m["read"]("{")),
        failed(lambda m: m["read"](None)),
        failed(lambda m: m["total"]("x")),
        failed(lambda m: m["deep"](0)),
        failed(lambda m: m["group"](ValueError())),
        failed(lambda m: m["group"](KeyError())),
    ]
    assert len({each.group for each in found}) == len(found)


def test_what_is_wrong_with_the_data_splits_no_group():
    assert same(*(failed(lambda m, text=text: m["read"](text)) for text in ("{", "[1", "x", "1 2", '"')))


def test_an_error_that_any_line_may_raise_has_the_outermost_frame():
    assert same(failed(lambda m: m["deep"](0)), failed(lambda m: m["deep"](1)))


def test_explicit_causes_count():
    assert same(failed(lambda m: m["total"]("x")), failed(lambda m: m["total"]("y")))
    assert not same(failed(lambda m: m["total"]("x")), failed(lambda m: m["total"](None)))


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ('connection to "db", port 5432: timeout after 1.5s', "connection to <quoted>, port <n>: timeout after <n>s"),
        ("550 mailbox unavailable: joe@example.org", "<n> mailbox unavailable: <address>"),
        ("10.0.0.4:6379 and fe80::1 refused", "<address> and <address> refused"),
        ("No such file /var/lib/x/y.txt", "No such file <path>"),
        ("job 3f0e7a52-1111-4222-8333-123456789abc is gone", "job <id> is gone"),
        ("GET https://example.org/a?b=1 failed", "GET <url> failed"),
        ("<Order object at 0x7f3a2c> at 2026-01-02T10:11:12Z", "<object> at <time>"),
        ("can't decode byte 0xff, don't", "can't decode byte <hex>, don't"),
        ("2 validation errors for Order", mask("1 validation error for Order")),
        ("key {'a': 1, 'b': 2}", mask("key {'c': 17}").replace("<list>", "<list>")),
        ("order-1234 not found", "<id> not found"),
    ],
)
def test_what_differs_is_masked(message, masked):
    assert mask(message) == masked


def test_the_constants_of_the_line_stay_readable():
    assert failed(lambda m: m["rate"]({"DE": {}}, "DE")).message == "'vat_rate'"
    assert failed(lambda m: m["rate"]({}, "DE")).message == "<quoted>"


def test_huge_and_strange_texts_are_no_trouble():
    frame = '  File "/app/x.py", line 1, in f\n    g()\n'
    for text in ("x" * 10**6, "'" * 10**5, "1.1." * 10**5, "\n" * 10**6, "a@" * 10**5, "\ud800", "- - " * 10**5):
        assert len(fingerprint("ValueError", text, "Traceback:\n" + frame * 20_000 + text).message) <= 200
    assert len(fingerprint("E" * 10**6, "").type) == 200
    assert json.loads(fingerprint("E", "\x00").fields["failure_shape"])["frames"] == []

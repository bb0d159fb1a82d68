"""How well failures are grouped: real tracebacks of real libraries that are used wrongly, in a small shop.

Each kind of failure is one call of one function of the shop (`failing_shop/`), with different data, from different
tasks, and in three releases of the shop: in the second one lines have moved, in the third one the functions stand in
another order and some variables have other names. Of each pair of failures it is known whether the two are of one
kind. A part of the kinds is held out: they were not looked at when the fingerprint was made.
"""

import hashlib
import importlib.util
import itertools
import random
import re
import socket
import tempfile
import traceback
import types
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jobtracker.core.fingerprint import fingerprint, type_name
from jobtracker.local.embedded_redis import EmbeddedRedis

TITLE = "pairs of failures, in percent"
SIZE = 2
"""Failures of each kind in each release, from each of two tasks."""

_SHOP = Path(__file__).with_name("failing_shop")
_MODULES = ("orders", "stock", "mail", "tasks")
_WORDS = ("ACME", "Müller & Co", "blue chair", "x", "Zoë", "O'Neill", "n/a", "Berlin Mitte", "a-1", "42nd street")


class Failure(NamedTuple):
    """A failure whose kind is known."""

    kind: str
    type: str
    message: str
    traceback: str
    is_held_out: bool

    @property
    def group(self) -> str:
        """The group that it gets."""
        return fingerprint(self.type, self.message, self.traceback).group


class Pairs(NamedTuple):
    """How many pairs there are of one kind and of two, and how many of each have one group."""

    same: int
    same_together: int
    others: int
    others_together: int


def run(each: int, rounds: int) -> dict[str, dict[str, float]]:  # noqa: ARG001 (it is the same each time)
    """Measure the open kinds, those that are held out, and all."""
    failures = corpus(each)
    parts = {
        "open": [failure for failure in failures if not failure.is_held_out],
        "held out": [failure for failure in failures if failure.is_held_out],
        "all": failures,
    }
    figures = {}
    for name, own in parts.items():
        pairs = pairs_of(own)
        figures[name] = {
            "kinds": len({failure.kind for failure in own}),
            "failures": len(own),
            "groups": len({failure.group for failure in own}),
            "same_together": pairs.same_together / pairs.same,
            "others_together": pairs.others_together / pairs.others,
        }
    return figures


def rows(figures: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = ("kinds", "number", "failures", "groups", "of one kind: together", "of two kinds: together")
    body = [
        (
            name,
            f"{found['kinds']:.0f}",
            f"{found['failures']:.0f}",
            f"{found['groups']:.0f}",
            f"{100 * found['same_together']:.1f} %",
            f"{100 * found['others_together']:.3f} %",
        )
        for name, found in figures.items()
    ]
    return [head, *body]


def pairs_of(failures: list[Failure]) -> Pairs:
    """Count the pairs of some failures."""
    kinds, groups, both = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for failure in failures:
        kinds[failure.kind] += 1
        groups[failure.group] += 1
        both[failure.kind, failure.group] += 1
    same, together, right = (_pairs(counts.values()) for counts in (kinds, groups, both))
    return Pairs(same, right, _pairs([len(failures)]) - same, together - right)


def _pairs(counts: Any) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def errors() -> Iterator[str]:
    """What is wrong in the open part, a line each."""
    return mistakes([failure for failure in corpus(SIZE) if not failure.is_held_out])


def mistakes(failures: list[Failure]) -> Iterator[str]:
    """What is wrong, a line each: kinds in several groups, and groups of several kinds."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, set[str]] = defaultdict(set)
    examples = {}
    for failure in failures:
        groups[failure.kind][failure.group] += 1
        kinds[failure.group].add(failure.kind)
        examples[failure.kind, failure.group] = failure
    for kind, counts in groups.items():
        if len(counts) > 1:
            told = "; ".join(f"{n}x {examples[kind, group].message.strip()[:90]!r}" for group, n in counts.items())
            yield f"{kind} is in {len(counts)} groups: {told}"
    for several in kinds.values():
        if len(several) > 1:
            yield f"one group: {', '.join(sorted(several))}"


# -- the corpus ------------------------------------------------------------------------------------------------------


def corpus(each: int) -> list[Failure]:
    """Failures of all kinds, made now."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder) / "redis") as redis:
        kinds = _kinds(redis.url)
        failures = []
        for release, change in (("2026.46.3", _as_it_is), ("2026.47.1", _moved), ("2026.47.2", _renamed)):
            shop = _shop(Path(folder) / release / "shop", change)
            for kind, (name, data) in kinds.items():
                function = _function(shop, name)
                for task, n in itertools.product(("nightly", "on_request"), range(each)):
                    chance = random.Random(f"{kind} {release} {task} {n}")
                    failures.append(_failure(kind, getattr(shop["tasks"], task), function, data(chance)))
        return failures


def _failure(kind: str, task: Callable[..., Any], function: Callable[..., Any], given: tuple[Any, ...]) -> Failure:
    is_held_out = hashlib.sha256(kind.encode()).digest()[0] % 3 == 0
    try:
        task(function, *given)
    except Exception as error:  # noqa: BLE001 (each kind has its own)
        text = "".join(traceback.format_exception(error)).replace(__file__, "/usr/lib/python3.11/runner.py")
        return Failure(kind, type_name(error), str(error), text, is_held_out)
    raise AssertionError(f"{kind} has not failed, with {given!r}")


def _shop(folder: Path, change: Callable[[str], str]) -> dict[str, types.ModuleType]:
    folder.mkdir(parents=True)
    shop = {}
    for name in _MODULES:
        path = folder / f"{name}.py"
        path.write_text(change((_SHOP / f"{name}.txt").read_text()))
        spec = importlib.util.spec_from_file_location(f"shop_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        shop[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(shop[name])
        for each in vars(shop[name]).values():
            if isinstance(each, type) and each.__module__ == f"shop_{name}":
                each.__module__ = f"shop.{name}"
    return shop


def _function(shop: dict[str, types.ModuleType], name: str) -> Callable[..., Any]:
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(shop[module], function)
    return found


def _as_it_is(source: str) -> str:
    return source


def _moved(source: str) -> str:
    return "# Copyright: the shop\n" * 17 + source.replace("\ndef ", "\n# A comment more.\n\n\ndef ")


def _renamed(source: str) -> str:
    head, *functions = re.split(r"\n\n\n(?=def )", source)
    return re.sub(r"\b(given|port|raw)\b(?!=)", r"\1_now", "\n\n\n".join([head, *functions[::-1]])) + "\n"


Data = Callable[[random.Random], tuple[Any, ...]]


def _word(chance: random.Random) -> str:
    return chance.choice(_WORDS)


def _port(chance: random.Random) -> int:  # noqa: ARG001 (the system chooses one)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _cut(chance: random.Random) -> str:
    whole = '{"number": 17, "lines": [{"article": "blue chair", "quantity": 3}, {"article": "x", "quantity": 1}]}'
    return whole[: chance.randrange(1, len(whole) - 1)]


def _noise(chance: random.Random) -> bytes:
    return b"\xff\xfe" + chance.randbytes(chance.randrange(20, 60))


def _kinds(redis_url: str) -> dict[str, tuple[str, Data]]:
    """The function and the data of each kind."""
    return {
        "json cut off": ("orders.read_order", lambda c: (_cut(c),)),
        "json of nothing": ("orders.read_order", lambda _: (None,)),
        "order lacks fields": ("orders.check_order", lambda c: ({"number": c.randrange(9), "lines": []},)),
        "schema": ("orders.check_schema", lambda c: (c.choice([{}, {"id": _word(c)}, [], {"id": None}]),)),
        "yaml": ("orders.read_config", lambda c: (c.choice(["a: [1,", "a: b: c", "\tx: 1", "a: 'x", "- a\nb: 1"]),)),
        "no quantity": ("orders.quantity_of", lambda c: (_word(c),)),
        "quantity of none": ("orders.quantity_of", lambda _: (None,)),
        "no price": ("orders.price_of", lambda c: (_word(c),)),
        "no day": ("orders.day_of", lambda c: (_word(c),)),
        "no delivery": (
            "orders.delivery_of",
            lambda c: (c.choice(["someday", "x" * c.randrange(3, 9), "32.13.2026"]),),
        ),
        "no moment": ("orders.moment_of", lambda c: (f"{c.randrange(99)}/{_word(c)}",)),
        "no id": ("orders.id_of", lambda c: (_word(c),)),
        "no country": ("orders.vat_of", lambda c: ({"amount": c.randrange(99)},)),
        "unknown country": ("orders.vat_of", lambda c: ({"country": c.choice(["FR", "IT", "ES"]), "amount": 1},)),
        "country without vat": ("orders.vat_of", lambda c: ({"country": "AT", "amount": c.randrange(99)},)),
        "unknown customer": ("orders.customer_of", lambda c: ((_word(c), {}),)),
        "closed customer": ("orders.customer_of", lambda c: (((word := _word(c)), {word: None}),)),
        "customer is no text": ("orders.customer_of", lambda c: (((word := _word(c)), {word: c.randrange(9)}),)),
        "over the limit": ("orders.credit_of", lambda c: ((_word(c), c.randrange(9), c.randrange(10, 99)),)),
        "negative amount": ("orders.credit_of", lambda c: ((_word(c), 1, -c.randrange(1, 9)),)),
        "odd limit": ("orders.credit_of", lambda c: ((_word(c), c.randrange(10_000, 99_999), 1),)),
        "total of texts": ("orders.total_of", lambda c: ([1, _word(c)],)),
        "total of nothing": ("orders.total_of", lambda c: (c.choice([[1, None], [None]]),)),
        "first of none": ("orders.first_of", lambda _: ([],)),
        "first of null": ("orders.first_of", lambda _: (None,)),
        "share of nobody": ("orders.share_of", lambda c: ((c.randrange(99), 0),)),
        "label of a number": ("orders.label_of", lambda c: (c.randrange(99),)),
        "csv without a column": ("orders.rows_of", lambda c: (f"sku,number\n{c.randrange(99)},{c.randrange(99)}",)),
        "a semicolon more": ("orders.unpacked", lambda c: (";".join(map(str, range(c.randrange(3, 9)))),)),
        "no semicolon": ("orders.unpacked", lambda c: (_word(c),)),
        "no file": ("stock.opened", lambda c: (f"/srv/in/{c.randrange(10**6)}/{_word(c).replace('/', '')}.csv",)),
        "a folder": ("stock.opened", lambda c: (c.choice(["/tmp", "/usr", "/etc"]),)),
        "no utf-8": ("stock.text_of", lambda c: (_noise(c),)),
        "no ascii": ("stock.narrow_of", lambda c: (c.choice(["Müller", "Zoë & Søn", "œuvre"]),)),
        "no xml": ("stock.element_of", lambda c: (c.choice(["<a>", "<a></b>", "x", "<a x=1/>", "<a>&x;</a>"]),)),
        "no html": ("stock.page_of", lambda c: (c.choice(["<a>", "<a></b>", "x", "<a x=1/>", "<a>&x;</a>"]),)),
        "no zip": ("stock.archive_of", lambda c: (_noise(c),)),
        "no member": ("stock.member_of", lambda c: (f"{_word(c)}.txt",)),
        "no zlib": ("stock.inflated", lambda c: (_noise(c),)),
        "no base64": ("stock.decoded", lambda c: (c.choice(["a", "%%%", "abcde", "a=b", "ü"]),)),
        "wrong size": ("stock.numbers_of", lambda c: (b"x" * c.randrange(11),)),
        "no msgpack": ("stock.message_of", lambda c: (b"\x93" + bytes(range(c.randrange(3))),)),
        "no pickle": ("stock.object_of", lambda c: (c.choice([b"", b"x", b"\x80\x04", b"garbage"]),)),
        "no option": ("stock.option_of", lambda c: (f"option{c.randrange(99)}",)),
        "no module": ("stock.plugin_of", lambda c: (f"shop_plugin_{c.randrange(99)}",)),
        "no pattern": ("stock.pattern_of", lambda c: (c.choice(["(", "[a", "a**", "(?P<x", "*"]),)),
        "no literal": ("stock.literal_of", lambda c: (c.choice(["f()", "a + b", "x", "len(1)"]),)),
        "no table": ("stock.queried", lambda c: (f"select * from orders where id = {c.randrange(99)}",)),
        "bad sql": ("stock.queried", lambda c: (f"selec {c.randrange(99)} from stock",)),
        "twice the sku": ("stock.inserted", lambda c: ([((word := _word(c)), 1), (word, 2)],)),
        "no number": ("stock.inserted", lambda c: ([(_word(c), None)],)),
        "no duck table": ("stock.analysed", lambda c: (f"select * from orders where id = {c.randrange(99)}",)),
        "no duck sql": ("stock.analysed", lambda c: (f"selec {c.randrange(99)}",)),
        "nobody listens": ("stock.connected", lambda c: (_port(c),)),
        "no answer by requests": ("stock.fetched", lambda c: (_port(c),)),
        "no answer by httpx": ("stock.got", lambda c: (_port(c),)),
        "no answer by urllib": ("stock.read", lambda c: (_port(c),)),
        "not found": ("stock.answered", lambda _: (404,)),
        "server error": ("stock.answered", lambda c: (c.choice([500, 503]),)),
        "no redis": ("stock.waited", lambda c: (_port(c),)),
        "wrong type in redis": ("stock.pushed", lambda c: (redis_url, f"key:{c.randrange(99)}")),
        "script of redis": ("stock.scripted", lambda c: (redis_url, f"return redis.call('NONE{c.randrange(99)}')")),
        "no value for redis": ("stock.stored", lambda c: (redis_url, {"a": c.randrange(99)})),
        "command fails": ("stock.called", lambda c: (["sh", "-c", f"exit {c.randrange(1, 9)}"],)),
        "no command": ("stock.called", lambda c: ([f"no-such-command-{c.randrange(99)}"],)),
        "shapes differ": ("stock.fits", lambda c: ([[1] * c.randrange(2, 9), [1] * c.randrange(10, 19)],)),
        "no 3 by 3": ("stock.shaped", lambda c: ([1] * c.randrange(10, 99),)),
        "letter to nobody": ("mail.letter", lambda c: (c.choice(["x", "", "joe", "@"]), 1)),
        "pages are no number": ("mail.letter", lambda c: ("JOE", _word(c))),
        "template lacks a value": ("mail.rendered", lambda c: ("{{ name }} owes {{ amount }}", {"name": _word(c)})),
        "template is none": ("mail.rendered", lambda c: (c.choice(["{{ name", "{% if %}", "{% for x %}"]), {})),
        "django template": ("mail.filled", lambda c: (c.choice(["{% if %}", "{% x %}", "{{ a|b }}", "{% for %}"]),)),
        "no phone": ("mail.called", lambda c: (c.choice(["x", "12", "+999", "+49 1"]),)),
        "no docx": ("mail.document_of", lambda c: (_noise(c),)),
        "no pdf": ("mail.pages_of", lambda c: (_noise(c),)),
        "no token": ("mail.opened", lambda c: (uuid.UUID(int=c.getrandbits(128)).hex.encode(),)),
        "no address": ("mail.checked", lambda c: (_word(c),)),
        "no mail server": ("mail.mailed", lambda c: (_port(c),)),
        "refused address": ("mail.refused", lambda c: (f"joe{c.randrange(99)}@example.org", c.randrange(500, 560))),
        "user of none": ("mail.sent", lambda _: (None,)),
        "user without a name": ("mail.sent", lambda c: (types.SimpleNamespace(greeting=_word(c)),)),
        "no broker": ("mail.queued", lambda c: (_port(c),)),
        "no page": ("mail.missing", lambda c: (_word(c),)),
        "late": ("mail.late", lambda c: (c.uniform(0.1, 0.3),)),
        "all fail": ("mail.all_of", lambda c: ([_word(c) for _ in range(c.randrange(1, 4))],)),
        "by zero in a thread": ("mail.pooled", lambda c: ([c.randrange(1, 9), 0],)),
        "without an end": ("mail.walked", lambda c: ([_word(c)],)),
        "not hashable": ("mail.hashed", lambda c: ([_word(c)],)),
        "nothing left": ("mail.next_of", lambda c: (c.choice([[], {}, ""]),)),
        "no such process": ("mail.locked", lambda c: (f"{c.randrange(10**7, 10**8)}/x",)),
    }

"""A name and tags for the jobs of plain Celery calls: given where a call is made, carried by headers."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

NAME_HEADER = "jobtracker_name"
"""Message header with the name of the job."""

TAGS_HEADER = "jobtracker_tags"
"""Message header with the tags of the job, a list."""

HEADERS = (NAME_HEADER, TAGS_HEADER)

NAME_CHARS = 200
TAG_CHARS = 50
MOST_TAGS = 20

_MOST_WARNINGS = 100
_warned: set[str] = set()


class Labels(NamedTuple):
    """What a call names its job, and its tags."""

    name: str | None = None
    tags: tuple[str, ...] = ()


NO_LABELS = Labels()

_labels: ContextVar[Labels] = ContextVar("jobtracker_labels", default=NO_LABELS)
"""Those of the calls that this thread, greenlet or coroutine makes now."""


@contextmanager
def tagged(*tags: str, name: str | None = None) -> Iterator[None]:
    """Give the jobs of the Celery calls in this block a name and tags.

        with tagged("eu", "nightly", name="Import of Monday"):
            import_orders.delay(day)

    Each job that the block sends gets the tags, and so does each job that the tasks of those jobs send, to any depth.
    The name is for what the block sends itself: a task, the parent of a chord, the first task of a chain, each task
    of a group. Blocks nest: the inner one adds its tags, and its name counts.

    It goes for this thread, greenlet or coroutine, and what these start as copies of their context (`asyncio` tasks,
    `gevent.spawn`). A new thread begins without. A single call can do the same by headers:
    `apply_async(headers={"jobtracker_name": "…", "jobtracker_tags": ["eu"]})`.

    Args:
        tags: Up to 20 in all, of up to 50 characters each. What can't be one is left out, with a warning.
        name: For people; longer ones are cut to 200 characters, with a warning. None: the name stays as it is.
    """
    outer = _labels.get()
    labels = Labels(_name(name) or outer.name, joined(outer.tags, _tags(tags)))
    token = _labels.set(labels)
    try:
        yield
    finally:
        _labels.reset(token)


def labels_here() -> Labels:
    """Those of the blocks around this call."""
    return _labels.get()


def labels_in(headers: Any) -> Labels:
    """Those that the headers of a message say, or a worker's request of it; read with `get`."""
    name, tags = headers.get(NAME_HEADER), headers.get(TAGS_HEADER)
    return NO_LABELS if name is None and tags is None else Labels(_name(name), joined(_tags(tags)))


def as_headers(labels: Labels) -> dict[str, Any]:
    """Labels as headers of a message."""
    found: dict[str, Any] = {NAME_HEADER: labels.name} if labels.name else {}
    return found | ({TAGS_HEADER: [*labels.tags]} if labels.tags else {})


def without_labels(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Headers without those of the labels."""
    return {name: value for name, value in headers.items() if name not in HEADERS}


def joined(*several: tuple[str, ...]) -> tuple[str, ...]:
    """Several lists of tags as one: each tag once, and no more than a job may have."""
    tags = tuple(dict.fromkeys(tag for each in several for tag in each))
    if len(tags) > MOST_TAGS:
        _warn(f"A job has at most {MOST_TAGS} tags, these are left out: {', '.join(tags[MOST_TAGS:])[:500]}")
    return tags[:MOST_TAGS]


def _name(name: object) -> str | None:
    """A name, as far as it can be one."""
    if name is None:
        return None
    if not isinstance(name, str) or not (stripped := name.strip()):
        _warn(f"A job's name is a text that is not empty, not {_shown(name)}: it gets none")
        return None
    if len(stripped) > NAME_CHARS:
        _warn(f"A job's name has at most {NAME_CHARS} characters, this one is cut: {_shown(stripped)}")
    return _sendable(stripped[:NAME_CHARS])


def _tags(tags: object) -> tuple[str, ...]:
    """Those of some tags that can be ones; a single text is one tag."""
    if tags is None:
        return ()
    if isinstance(tags, str):
        tags = (tags,)
    if not isinstance(tags, list | tuple | set | frozenset):
        _warn(f"Tags are a list of texts, not {_shown(tags)}: the job gets none of these")
        return ()
    return tuple(tag for each in tags if (tag := _tag(each)))


def _tag(tag: object) -> str | None:
    stripped = _sendable(tag.strip()) if isinstance(tag, str) else ""
    if 0 < len(stripped) <= TAG_CHARS:
        return stripped
    _warn(f"A tag is a text of 1 to {TAG_CHARS} characters, {_shown(tag)} is left out")
    return None


def _sendable(text: str) -> str:
    """A text that UTF-8 can carry: lone surrogates would fail the send."""
    return text.encode(errors="replace").decode()


def _shown(value: object) -> str:
    """A value in a warning, or its type where the value itself could be anything."""
    return repr(value[:80]) if isinstance(value, str) else f"a value of type {type(value).__name__}"


def _warn(text: str) -> None:
    """Say it once: a call that is made a thousand times has the same fault each time."""
    if text not in _warned and len(_warned) < _MOST_WARNINGS:
        _warned.add(text)
        logger.warning("jobtracker: %s.", text)

"""Read the text of a PDF page by page, and its bookmarks."""

import re
from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from workers.content import BLOCK_BREAK, Content, Heading, collect_headings
from workers.errors import TooLargeError, UnreadableError, unreadable_if_damaged
from workers.limits import check_characters, document_max_characters
from workers.progress import Track

if TYPE_CHECKING:
    from pypdf import PdfReader

_LINE = re.compile(r"\S[^\n]*+")
_MAX_TITLE_LINES = 4
"""Over so many lines at most a heading is looked for on its page."""


def read_pdf(data: bytes, track: Track) -> Content:
    """Read a PDF that needs no password; pypdf's own limits hold for what a page unpacks to.

    Args:
        data: The bytes of the file.
        track: Told each page; what it raises stops the reading.

    Raises:
        UnreadableError: It is damaged, or needs a password.
        TooLargeError: Its text is too long, or a page unpacks to too much.
    """
    with _reading():
        reader = _opened(data)
        count = len(reader.pages)
    max_characters = document_max_characters()
    pages: list[str] = []
    characters = 0
    for number in track(range(count), total=count, note="reading pages"):
        with _reading():
            pages.append(reader.pages[number].extract_text().strip())
        characters += len(pages[-1]) + len(BLOCK_BREAK)
        check_characters(characters - len(BLOCK_BREAK), max_characters)
    with _reading():
        bookmarks = list(_bookmarks(reader, reader.outline))
    return Content(tuple(pages), collect_headings(_bookmarked(pages, bookmarks)))


@contextmanager
def _reading() -> Iterator[None]:
    from pypdf.errors import DependencyError, LimitReachedError, PyPdfError

    # pypdf repairs what it can. DependencyError: a filter whose package is not installed.
    with unreadable_if_damaged("the PDF is damaged, or packed in a rare way", PyPdfError, DependencyError):
        try:
            yield
        except LimitReachedError as error:
            raise TooLargeError(f"the PDF unpacks to more than is read: {error}") from error


def _opened(data: bytes) -> "PdfReader":
    from pypdf import PasswordType, PdfReader

    reader = PdfReader(BytesIO(data))
    # One that has an owner's password only is open to its readers.
    if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
        raise UnreadableError("the PDF is encrypted and needs a password")
    return reader


@dataclass(frozen=True, slots=True)
class _Bookmark:
    level: int
    title: str
    page: int


def _bookmarks(reader: "PdfReader", outline: Sequence[Any], level: int = 1) -> Iterator[_Bookmark]:
    """Walk the outline; an entry's own entries follow it as a list. pypdf limits its depth."""
    for entry in outline:
        if isinstance(entry, list):
            yield from _bookmarks(reader, entry, level + 1)
        else:
            page = reader.get_destination_page_number(entry)
            title = " ".join(str(entry.title or "").split())
            if page is not None and 0 <= page < len(reader.pages) and title:
                yield _Bookmark(level, title, page)


def _bookmarked(pages: Sequence[str], bookmarks: Sequence[_Bookmark]) -> Iterator[Heading]:
    """Find the bookmarked titles on their pages, in the order of the text; a title that is not there is left out."""
    titles: defaultdict[int, set[str]] = defaultdict(set)
    for bookmark in bookmarks:
        titles[bookmark.page].add(bookmark.title)
    places = {page: _places(pages[page], wanted) for page, wanted in titles.items()}
    starts = list(accumulate((len(page) + len(BLOCK_BREAK) for page in pages), initial=0))
    behind = 0
    for bookmark in bookmarks:
        page, page_start = pages[bookmark.page], starts[bookmark.page]
        found = places[bookmark.page][bookmark.title]
        at = bisect_left(found.starts, behind - page_start)
        if at < len(found.starts):
            start, end = found.starts[at], found.ends[at]
            behind = page_start + end
            yield Heading(level=bookmark.level, text=page[start:end], start=page_start + start, end=behind)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a title stands on a page, in order. As numbers of eight bytes: there may be one for each line."""

    starts: "array[int]" = field(default_factory=lambda: array("q"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))


def _places(page: str, titles: Iterable[str]) -> dict[str, _Places]:
    """Find where titles fill a line or a few of a page. One pass for all titles; white space may differ."""
    found = {title: _Places() for title in titles}
    longest = max(map(len, found))
    above: deque[tuple[int, str]] = deque(maxlen=_MAX_TITLE_LINES)
    for line in _LINE.finditer(page):
        above.append((line.start(), " ".join(line[0].split())))
        words = ""
        for start, line_words in reversed(above):
            words = f"{line_words} {words}" if words else line_words
            if len(words) > longest:
                break
            if words in found:
                found[words].starts.append(start)
                found[words].ends.append(line.start() + len(line[0].rstrip()))
    return found

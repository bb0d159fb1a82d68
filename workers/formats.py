"""Read the text, pages and headings out of PDF, DOCX, HTML, Markdown and plain text."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from workers.content import BLOCK_BREAK, Block, Content, Heading, content_of
from workers.encoding import decode
from workers.errors import InputError, TooLargeError, UnreadableError
from workers.html_text import read_html
from workers.progress import Track, untracked

if TYPE_CHECKING:
    from pypdf import PdfReader

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"

MEDIA_TYPES = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".html": HTML,
    ".htm": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": PLAIN,
}
"""The suffixes that are read, and what each means."""

_MAX_UNPACKED_BYTES = 512 * 1024 * 1024


def read_content(data: bytes, suffix: str, track: Track = untracked) -> tuple[str, Content]:
    """Read a document.

    Args:
        data: The bytes of the file.
        suffix: The suffix of its name with the dot; without one the content itself decides.
        track: Told each page of a PDF, the only slow format; what it raises stops the reading.

    Returns:
        Its media type and its content.

    Raises:
        UnreadableError: Not a format that is read here, damaged, or encrypted.
        TooLargeError: A small file that unpacks to an enormous one.
    """
    media_type = MEDIA_TYPES.get(suffix.lower()) if suffix else _sniff(data)
    if media_type is None:
        raise UnreadableError(f"a document ends in {', '.join(MEDIA_TYPES)}, not in {suffix!r}")
    return media_type, _read_pdf(data, track) if media_type == PDF else _READERS[media_type](data)


def _sniff(data: bytes) -> str:
    start = data[:1024].lstrip().lower()
    if start.startswith(b"%pdf-"):
        return PDF
    if start.startswith(b"pk\x03\x04"):
        return DOCX
    return HTML if start.startswith((b"<!doctype html", b"<html")) else PLAIN


def _read_plain(data: bytes) -> Content:
    return Content((decode(data),))


def _read_markdown(data: bytes) -> Content:
    text = decode(data)
    return Content((text,), tuple(markdown_headings(text)))


_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_MARKDOWN_HEADING = re.compile(
    r"^ {0,3}(?P<hashes>#{1,6})[ \t]+(?P<atx>[^\n]*?)(?:[ \t]+#*)?[ \t]*$"
    r"|^ {0,3}(?P<setext>[^\s#>*+-][^\n]*?)[ \t]*\n {0,3}(?P<rule>=+|-+)[ \t]*$",
    re.MULTILINE,
)


def markdown_headings(text: str) -> Iterator[Heading]:
    """Find ATX ("# Title") and underlined headings, outside of fenced code."""
    outside_code = _FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence[0]), text)
    for match in _MARKDOWN_HEADING.finditer(outside_code):
        if match["atx"]:
            group, level = "atx", len(match["hashes"])
        elif match["setext"]:
            group, level = "setext", 1 if match["rule"].startswith("=") else 2
        else:
            continue
        yield Heading(level=level, text=match[group], start=match.start(group), end=match.end(group))


def _read_pdf(data: bytes, track: Track) -> Content:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(BytesIO(data))
        is_locked = reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED
        tracked = () if is_locked else track(reader.pages, total=len(reader.pages), note="reading pages")
        pages = tuple(page.extract_text().strip() for page in tracked)
        bookmarks = [] if is_locked else list(_bookmarks(reader, reader.outline))
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        # pypdf repairs what it can; where a file is damaged beyond that, any of these come out of it
        raise UnreadableError(f"the PDF is damaged: {error}") from error
    if is_locked:
        raise UnreadableError("the PDF is encrypted and needs a password")
    return Content(pages, tuple(_bookmarked(pages, bookmarks)))


@dataclass(frozen=True, slots=True)
class _Bookmark:
    level: int
    title: str
    page: int


def _bookmarks(reader: "PdfReader", outline: Sequence[Any], level: int = 1) -> Iterator[_Bookmark]:
    """Walk the outline; an entry's own entries follow it as a list."""
    for entry in outline:
        if isinstance(entry, list):
            yield from _bookmarks(reader, entry, level + 1)
        else:
            page = reader.get_destination_page_number(entry)
            if page is not None and entry.title:
                yield _Bookmark(level, str(entry.title), page)


def _bookmarked(pages: Sequence[str], bookmarks: Iterable[_Bookmark]) -> Iterator[Heading]:
    """Find the bookmarked titles on their pages, in the order of the text; a title that is not there is left out."""
    starts = list(accumulate((len(page) + len(BLOCK_BREAK) for page in pages), initial=0))
    behind = 0
    for bookmark in bookmarks:
        title = r"\s+".join(map(re.escape, bookmark.title.split()))
        start_on_page = max(0, behind - starts[bookmark.page])
        match = re.compile(rf"^{title}\s*$", re.MULTILINE).search(pages[bookmark.page], start_on_page)
        if match:
            start = starts[bookmark.page] + match.start()
            behind = start + len(match[0].rstrip())
            yield Heading(level=bookmark.level, text=match[0].rstrip(), start=start, end=behind)


def _read_docx(data: bytes) -> Content:
    import docx
    from docx.opc.exceptions import OpcError
    from docx.table import Table

    try:
        _check_unpacked(data)
        blocks = []
        for item in docx.Document(BytesIO(data)).iter_inner_content():
            if isinstance(item, Table):
                blocks += [Block(" | ".join(cell.text.strip() for cell in row.cells)) for row in item.rows]
            else:
                blocks.append(Block(item.text.strip(), _docx_level(item.style.name if item.style else None)))
        return content_of(blocks)
    except InputError:
        raise
    except (BadZipFile, OpcError, SyntaxError, LookupError, ValueError, AttributeError, NotImplementedError) as error:
        # SyntaxError: what lxml's parse errors derive from. NotImplementedError: an archive packed in a rare way.
        raise UnreadableError(f"not a DOCX file, or a damaged one: {error}") from error


def _check_unpacked(data: bytes) -> None:
    with ZipFile(BytesIO(data)) as archive:
        size_bytes = sum(entry.file_size for entry in archive.infolist())
    if size_bytes > _MAX_UNPACKED_BYTES:
        raise TooLargeError(f"the DOCX unpacks to {size_bytes:,} bytes; at most {_MAX_UNPACKED_BYTES:,} are read")


def _docx_level(style: str | None) -> int | None:
    match = re.fullmatch(r"(?:Title|Heading ([1-9]))", style or "", re.IGNORECASE)
    return int(match[1] or 1) if match else None


_READERS: dict[str, Callable[[bytes], Content]] = {
    DOCX: _read_docx,
    HTML: read_html,
    MARKDOWN: _read_markdown,
    PLAIN: _read_plain,
}

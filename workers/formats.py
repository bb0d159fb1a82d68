"""Read the text, pages and headings out of PDF, DOCX, HTML, Markdown and plain text."""

from collections.abc import Callable

from workers.content import Content, collect_headings
from workers.docx_text import read_docx
from workers.encoding import decode
from workers.errors import UnreadableError
from workers.html_text import read_html
from workers.limits import check_characters
from workers.markdown_headings import markdown_headings
from workers.pdf_text import read_pdf
from workers.progress import Track, untracked

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
        TooLargeError: It unpacks to more than a setting of workers.limits allows, or has too many headings.
    """
    media_type = MEDIA_TYPES.get(suffix.lower()) if suffix else _sniff(data)
    if media_type is None:
        raise UnreadableError(f"a document ends in {', '.join(MEDIA_TYPES)}, not in {suffix!r}")
    return media_type, read_pdf(data, track) if media_type == PDF else _READERS[media_type](data)


def _sniff(data: bytes) -> str:
    start = data[:1024].lstrip().lower()
    if start.startswith(b"%pdf-"):
        return PDF
    if start.startswith(b"pk\x03\x04"):
        return DOCX
    return HTML if start.startswith((b"<!doctype html", b"<html")) else PLAIN


def _read_plain(data: bytes) -> Content:
    text = decode(data)
    check_characters(len(text))
    return Content((text,))


def _read_markdown(data: bytes) -> Content:
    content = _read_plain(data)
    return Content(content.pages, collect_headings(markdown_headings(content.text)))


_READERS: dict[str, Callable[[bytes], Content]] = {
    DOCX: read_docx,
    HTML: read_html,
    MARKDOWN: _read_markdown,
    PLAIN: _read_plain,
}

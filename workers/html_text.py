"""Read HTML as its reader sees it: visible text, in blocks, without the markup.

The page is read as a stream of tags, as the HTML standard's tokenizer reads it, and no tree is made of it: to build
one takes a time that grows with the square of the page's depth, and a small page can ask for millions of elements.
"""

import re
from collections.abc import Iterator
from html import unescape
from io import StringIO

from workers.content import Block, Content, content_of
from workers.html_encoding import decode_html
from workers.html_shown import shown

# fmt: off
_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i",
    "img", "input", "ins", "kbd", "label", "map", "mark", "nobr", "output", "picture", "q", "rp", "rt", "ruby", "s",
    "samp", "small", "source", "span", "strike", "strong", "sub", "sup", "td", "th", "time", "tt", "u", "var", "wbr",
})
# fmt: on
_UNSEEN = frozenset({"noscript", "svg", "select"})
_UNSEEN_RAW = frozenset({"script", "style", "title", "iframe", "noembed", "noframes"})
_RAW = frozenset({"xmp", "textarea"}) | _UNSEEN_RAW
"""In these a tag is text."""

# Possessive throughout: what has matched is never tried again in another way. Without its ">" a tag lasts to the end.
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)"
    r"""(?P<attributes>(?:[^>=]++|=\s*+(?:"[^"]*+"?+|'[^']*+'?+|[^\s>"'][^\s>]*+)?+)*+)(?P<close>>?)"""
)
_UNSEEN_END = re.compile(f"</({'|'.join(_UNSEEN)})", re.IGNORECASE)
_HEADING = re.compile("h[1-6]")
_SPACE = re.compile(r"\s+")


def read_html(data: bytes) -> Content:
    """Read a page: its headings, and its blocks with white space collapsed; the cells of a table row share one.

    What is hidden is no part of the text: see `workers.html_shown.shown`.

    Raises:
        UnreadableError: The bytes are not text.
        TooLargeError: Its text is too long.
    """
    return content_of(_blocks(decode_html(data)))


class _Line:
    """The block that is being read."""

    def __init__(self) -> None:
        self._text = StringIO()
        self._has_text = False
        self._has_cell = False
        self._level: int | None = None

    def add(self, text: str) -> None:
        self._has_text = self._has_text or bool(text and not text.isspace())
        self._text.write(text)

    def start_cell(self) -> None:
        if self._has_cell:
            self._text.write(" | ")
        self._has_cell = True

    def end(self) -> Iterator[Block]:
        """End the block; there is none if nothing was said."""
        if self._has_text:
            lines = (_SPACE.sub(" ", line).strip() for line in self._text.getvalue().split("\n"))
            yield Block("\n".join(lines).strip(), self._level)
            self._level = None
        if self._text.tell():
            self._text = StringIO()
        self._has_text = self._has_cell = False

    def end_at(self, tag: str) -> Iterator[Block]:
        """End the block before a tag; the first one in a heading is the heading."""
        yield from self.end()
        if _HEADING.fullmatch(tag.removeprefix("/")):
            self._level = None if tag.startswith("/") else int(tag[1])


def _blocks(html: str) -> Iterator[Block]:
    line = _Line()
    for tag, text in shown(_seen(html)):
        name = tag.removeprefix("/")
        if not tag:
            line.add(_SPACE.sub(" ", text))
        elif name == "br":
            line.add("\n")
        elif name in _UNSEEN or name in _UNSEEN_RAW:
            continue
        elif name not in _INLINE:
            yield from line.end_at(tag)
        elif tag in {"td", "th"}:
            line.start_cell()
    yield from line.end()


def _seen(html: str) -> Iterator[tuple[str, str]]:
    """Leave out the elements that are not shown; one that never ends is taken for a mistake."""
    last_ends = {match[1].lower(): match.start() for match in _UNSEEN_END.finditer(html)}
    unseen, depth = "", 0
    for position, tag, text in _tokens(html):
        if not depth and tag in _UNSEEN and position < last_ends.get(tag, -1):
            unseen, depth = tag, 1
        elif depth:
            depth += (tag == unseen) - (tag == f"/{unseen}")
        else:
            yield tag, text


def _tokens(html: str) -> Iterator[tuple[int, str, str]]:
    """Split a page: the place, and a tag ("/p" ends an element) with its attributes, or "" and a text."""
    position = 0
    while position < len(html):
        start = html.find("<", position)
        end = start if start >= 0 else len(html)
        if end > position:
            yield position, "", unescape(html[position:end])
        if start < 0:
            return
        match = _TAG.match(html, start)
        if match is None:
            position = _after_other_markup(html, start)
            if position == start + 1:
                yield start, "", "<"
            continue
        if not match["close"]:
            return
        name, position = match["name"].lower(), match.end()
        if name != "svg" or html[position - 2] != "/":
            yield start, match["end"] + name, match["attributes"]
        if name in _RAW and not match["end"]:
            start, position = position, _raw_end(html, name, position)
            if name not in _UNSEEN_RAW:
                yield start, "", unescape(html[start:position]) if name == "textarea" else html[start:position]


def _after_other_markup(html: str, start: int) -> int:
    """Give where a comment or a declaration ends; behind the "<" if it is none."""
    if html.startswith("<!--", start):
        end, length = html.find("-->", start + 2), 3
    elif html.startswith(("<!", "<?", "</"), start):
        end, length = html.find(">", start), 1
    else:
        return start + 1
    return end + length if end >= 0 else len(html)


def _raw_end(html: str, name: str, position: int) -> int:
    while (position := html.find("</", position)) >= 0:
        end = position + 2 + len(name)
        if html[position + 2 : end].lower() == name and html[end : end + 1] in (*" \t\n\f/>", ""):
            return position
        position += 2
    return len(html)

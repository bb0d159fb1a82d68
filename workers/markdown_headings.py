"""Find the headings of a Markdown text, in one pass over the lines that can be one."""

import re
from collections.abc import Iterator

from workers.content import Heading

# Possessive: what has matched is never tried again in another way.
_MARK = re.compile(
    r"^ {0,3}(?:(?P<hashes>#{1,6}+)(?=[ \t])|(?P<fence>`{3,}+|~{3,}+)|(?P<rule>=++|-++)[ \t]*+$)", re.MULTILINE
)
_UNDERLINED = re.compile(r" {0,3}+(?P<title>[^\s#>*+-][^\n]*)")


def markdown_headings(text: str) -> Iterator[Heading]:
    """Find ATX ("# Title") and underlined headings, outside of fenced code."""
    fence = ""
    used = 0  # a line before this is a part of something else
    for mark in _MARK.finditer(text):
        end = text.find("\n", mark.end())
        end = len(text) if end < 0 else end
        if fence:
            if mark["fence"] and _closes(mark["fence"], text[mark.end() : end], fence):
                fence, used = "", end + 1
        elif mark["fence"]:
            # the name of the language after ``` has no ` in it: else this is code within a line
            fence = mark["fence"] if mark["fence"][0] == "~" or "`" not in text[mark.end() : end] else ""
        elif mark["hashes"]:
            yield from _heading(
                len(mark["hashes"]), text, mark.end(), mark.end() + len(_title(text[mark.end() : end]))
            )
        elif mark.start() > used:
            start = max(used, text.rfind("\n", 0, mark.start() - 1) + 1)
            above = _UNDERLINED.fullmatch(text, start, mark.start() - 1)
            if above:
                yield from _heading(1 if mark["rule"][0] == "=" else 2, text, *above.span("title"))
                used = end + 1


def _closes(mark: str, rest: str, fence: str) -> bool:
    return mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip(" \t")


def _title(rest: str) -> str:
    """Take the closing hashes off what follows the opening ones; they stand apart from the title."""
    rest = rest.rstrip(" \t")
    title = rest.rstrip("#")
    return title if not title or title[-1] in " \t" else rest


def _heading(level: int, text: str, start: int, end: int) -> Iterator[Heading]:
    """The heading text[start:end] without the white space around it; none if nothing is left."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip(" \t"))
    title = piece.strip(" \t")
    if title:
        yield Heading(level=level, text=title, start=start, end=start + len(title))

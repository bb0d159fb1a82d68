"""Which parts of a page are shown, and stand: what is hidden is left out, and what is struck through."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape

_SHOWN, _INVISIBLE, _GONE = range(3)
"""What becomes of an element. An invisible one takes its place all the same, and in it others may be visible."""

# fmt: off
_VOID = frozenset({
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "param", "source", "track", "wbr",
})
"""They have no content."""

_TABLE_PARTS = ("tr", "td", "th", "caption", "colgroup", "thead", "tbody", "tfoot")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_SCOPES = ("table", "td", "th", "caption", "template")
"""Within them nothing ends what has begun outside."""

_TABLE = ("table", "template")
_NOWHERE = (-1,)
_Ends = tuple[Sequence[str], Sequence[str]]
_ENDS: dict[str, _Ends] = {
    **dict.fromkeys((
        "address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl", "fieldset",
        "figcaption", "figure", "footer", "form", *_HEADINGS, "header", "hgroup", "hr", "main", "menu", "nav", "ol",
        "p", "pre", "search", "section", "summary", "table", "ul", "xmp",
    ), (("p",), ("button", *_SCOPES))),
    "li": (("li", "p"), ("ul", "ol", "menu", *_SCOPES)),
    **dict.fromkeys(("dt", "dd"), (("dt", "dd", "p"), ("dl", *_SCOPES))),
    **dict.fromkeys(("td", "th"), (("td", "th", "caption", "colgroup"), _TABLE)),
    "tr": (("tr", "td", "th", "caption", "colgroup"), _TABLE),
    **dict.fromkeys(("thead", "tbody", "tfoot"), (_TABLE_PARTS, _TABLE)),
    "a": (("a",), _SCOPES),
    "button": (("button",), _SCOPES),
}
"""What an element ends that has not been ended, and within what."""
# fmt: on

_NEVER_READ = frozenset({"template", "datalist", "del", "s", "strike"})
_WHOLE_PAGE = frozenset({"html", "body"})
_MAX_DEPTH = 1_000
"""Of what is nested deeper the innermost element only is known; no page that people write is."""

_ATTRIBUTE = re.compile(
    r"(?P<name>[^\s/>=][^\s/>=]*+)"
    r"""(?:\s*+=\s*+(?:"(?P<quoted>[^"]*+)"?+|'(?P<single>[^']*+)'?+|(?P<bare>[^\s>"'][^\s>]*+))?+)?+"""
)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_DECLARATION = re.compile(
    r"(?:^|;)\s*+(?P<name>display|visibility|text-decoration(?:-line)?+)\s*+:(?P<value>[^;!]*+)(?P<important>!\s*+important)?+"
)
_TELLING = frozenset({"hidden", "open", "style"})
_VISIBILITIES = {"visible": _SHOWN, "hidden": _INVISIBLE, "collapse": _INVISIBLE}


def shown(tokens: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Leave out of a page what is hidden or struck through.

    Hidden is an element with the attribute hidden, with display: none or visibility: hidden in its style, a template,
    a datalist, and a dialog that is not open. Without an end tag it ends as in a browser: with what it lies in, or
    where a paragraph, list item or cell follows that can't lie in it. Style sheets and scripts are not looked at. The
    page as a whole is never hidden: a script will show the body that is. What readers can open is shown: details, and
    hidden="until-found".

    Struck through is what is marked so (del, s, strike), or has that text decoration in its style: a drug that is
    crossed out is not taken.

    Args:
        tokens: The tag ("/p" for one that ends an element) with its attributes as they are written; or no tag, and
            the text.

    Yields:
        Those of them that are shown. Where a hidden element ends a paragraph, the end of that too.
    """
    elements = _OpenElements()
    for tag, text in tokens:
        if not tag:
            if elements.state == _SHOWN:
                yield tag, text
        elif tag[0] == "/":
            if elements.end(tag[1:]) != _GONE:
                yield tag, text
        else:
            implied = elements.end_before(tag)
            if elements.start(tag, text) != _GONE:
                yield tag, text
            elif implied:
                yield f"/{implied}", ""


class _OpenElements:
    """The elements that have begun and not ended, the innermost last."""

    def __init__(self) -> None:
        self._elements: list[tuple[str, int]] = []
        """The name of each, and what becomes of it."""
        self._places: dict[str, list[int]] = {}
        """Where in the list those of a name are."""

    @property
    def state(self) -> int:
        """What becomes of a text that comes now."""
        return self._elements[-1][1] if self._elements else _SHOWN

    def start(self, name: str, attributes: str) -> int:
        """Begin an element; gives what becomes of it."""
        state = self.state
        if state != _GONE and name not in _WHOLE_PAGE:
            state = _own_state(name, attributes, state)
        if name not in _VOID:
            if len(self._elements) == _MAX_DEPTH:
                self._end_from(_MAX_DEPTH - 1)
            self._places.setdefault(name, []).append(len(self._elements))
            self._elements.append((name, state))
        return state

    def end_before(self, name: str) -> str:
        """End what can't go on where an element of that name begins; gives the outermost that was shown, or ""."""
        if name not in _ENDS:
            return ""
        ended, within = _ENDS[name]
        places = [self._places[each][-1] for each in ended if each in self._places]
        if not places or max(places) <= (barrier := self._last_of(within)):
            return ""
        return self._end_from(min(place for place in places if place > barrier))

    def end(self, name: str) -> int:
        """End the innermost element of that name; gives what became of it, or of this place if there is none."""
        state = self.state
        if name in _WHOLE_PAGE:  # what comes after is a part of it all the same
            return state
        place = self._last_of(_HEADINGS) if name in _HEADINGS else self._places.get(name, _NOWHERE)[-1]
        if place == len(self._elements) - 1:  # most often
            if place >= 0:
                self._end_from(place)
            return state
        if name == "template":
            within: Sequence[str] = ()
        elif name == "table":
            within = ("template",)
        else:
            within = _TABLE if name in _TABLE_PARTS else _SCOPES
        if place > self._last_of(within):
            state = self._elements[place][1]
            self._end_from(place)
        return state

    def _last_of(self, names: Iterable[str]) -> int:
        return max([self._places[name][-1] for name in names if name in self._places], default=-1)

    def _end_from(self, place: int) -> str:
        name, state = self._elements[place]
        outermost = name if state != _GONE else ""
        while len(self._elements) > place:
            name, _ = self._elements.pop()
            places = self._places[name]
            places.pop()
            if not places:
                del self._places[name]
        return outermost


def _own_state(name: str, attributes: str, outer: int) -> int:
    """What becomes of an element in one that is not gone."""
    if name in _NEVER_READ:
        return _GONE
    if not attributes and name != "dialog":
        return outer
    written = attributes.lower()
    if name != "dialog" and "hidden" not in written and "style" not in written:
        return outer
    values = _values(attributes)
    style = _declarations(values.get("style", ""))
    is_hidden = "hidden" in values and values["hidden"].strip().lower() != "until-found"
    is_closed = name == "dialog" and "open" not in values
    if "line-through" in style.get("text-decoration", "") + style.get("text-decoration-line", ""):
        return _GONE
    if style.get("display", "none" if is_hidden or is_closed else "") == "none":
        return _GONE
    return _VISIBILITIES.get(style.get("visibility", ""), outer)


def _values(attributes: str) -> dict[str, str]:
    """Those of the attributes that tell; of two of one name the first counts."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(attributes):
        name = match["name"].lower()
        if name in _TELLING and name not in found:
            found[name] = unescape(match["quoted"] or match["single"] or match["bare"] or "")
    return found


def _declarations(style: str) -> dict[str, str]:
    """Those of the properties that tell; of two of one name the last counts, unless the first alone is important."""
    found: dict[str, str] = {}
    important = set()
    for match in _DECLARATION.finditer(_CSS_COMMENT.sub("", style).lower()):
        name = match["name"]
        if match["important"]:
            important.add(name)
        if match["important"] or name not in important:
            found[name] = match["value"].strip()
    return found

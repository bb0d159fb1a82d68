"""Which paragraphs of a DOCX file are headings, and what is hidden: what its styles say."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from workers.docx_package import XmlTarget

T = TypeVar("T")

NAMESPACES = (
    "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}",
    "{http://purl.oclc.org/ooxml/wordprocessingml/main}",  # the same in files of the kind "Strict"
)


def attribute(attributes: Mapping[str, str], name: str) -> str:
    """Give the value of an attribute, or nothing."""
    for namespace in NAMESPACES:
        if (value := attributes.get(namespace + name)) is not None:
            return value
    return ""


def outline_level(attributes: Mapping[str, str]) -> int | None:
    """Give the level that w:outlineLvl says, from 1; 0 for text that is no heading, None for nonsense."""
    value = attribute(attributes, "val")
    return (int(value) + 1) % 10 if re.fullmatch("[0-9]", value) else None


def is_on(attributes: Mapping[str, str]) -> bool:
    """Give what a property says that is on unless it says otherwise."""
    return attribute(attributes, "val") not in {"0", "false", "off"}


def _named_level(name: str) -> int | None:
    match = re.fullmatch(r"(?:title|heading ?([1-9]))", name, re.IGNORECASE)
    return int(match[1] or 1) if match else None


@dataclass(slots=True)
class _Style:
    level: int | None = None
    is_hidden: bool | None = None
    based_on: str = ""


_PASSED_OVER = frozenset(f"{namespace}{name}" for namespace in NAMESPACES for name in ("rPrChange", "tblStylePr"))
"""Elements of a style that do not speak of all its text: former properties, and those of some cells of a table."""


class Styles(XmlTarget):
    """Reads word/styles.xml: a heading's style has the name of one, an outline level, or is based on such a style.

    Names are in English in every language version of Word; ids are localized ("berschrift1").
    """

    def __init__(self) -> None:
        self._styles: dict[str, _Style] = {}
        self._style = _Style()
        self._levels: dict[str, int | None] = {}
        self._hidden: dict[str, bool | None] = {}
        self._passed_over_depth = 0

    def level(self, style_id: str) -> int | None:
        """Give the level of a style by its id; None if it is no heading's."""
        if not self._styles:
            return _named_level(style_id)  # a file without styles: "Heading1" can be nothing else
        return self._inherited(style_id, lambda style: style.level, self._levels) or None

    def hides(self, style_id: str) -> bool:
        """Give whether the text of a style is hidden."""
        if style_id not in self._styles:
            return False
        if style_id in self._hidden:
            return self._hidden[style_id] or False
        return self._inherited(style_id, lambda style: style.is_hidden, self._hidden) or False

    def _inherited(self, style_id: str, own: Callable[[_Style], T | None], known: dict[str, T | None]) -> T | None:
        """What a style says, or else the one that it is based on."""
        passed = []
        while style_id in self._styles and style_id not in known:
            passed.append(style_id)
            style = self._styles[style_id]
            known[style_id] = own(style)  # here ends a style that is based on itself
            style_id = style.based_on if known[style_id] is None else ""
        found = known[passed[-1]] if passed and not style_id else known.get(style_id)
        known.update(dict.fromkeys(passed, found))
        return found

    def end(self, tag: str) -> None:
        """An element ends."""
        self._passed_over_depth -= tag in _PASSED_OVER

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._passed_over_depth += tag in _PASSED_OVER
        namespace, _, name = tag.rpartition("}")
        if self._passed_over_depth or f"{namespace}}}" not in NAMESPACES:
            return
        match name:
            case "style":
                self._style = self._styles[attribute(attributes, "styleId")] = _Style()
            case "name":
                self._style.level = _named_level(attribute(attributes, "val"))
            case "outlineLvl" if self._style.level is None:
                self._style.level = outline_level(attributes)
            case "vanish":
                self._style.is_hidden = is_on(attributes)
            case "basedOn":
                self._style.based_on = attribute(attributes, "val")

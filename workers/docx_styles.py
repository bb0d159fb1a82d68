"""Which paragraphs of a DOCX file are headings: what its styles say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workers.docx_package import XmlTarget

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


def _named_level(name: str) -> int | None:
    match = re.fullmatch(r"(?:title|heading ?([1-9]))", name, re.IGNORECASE)
    return int(match[1] or 1) if match else None


@dataclass(slots=True)
class _Style:
    level: int | None = None
    based_on: str = ""


class Styles(XmlTarget):
    """Reads word/styles.xml: a heading's style has the name of one, an outline level, or is based on such a style.

    Names are in English in every language version of Word; ids are localized ("berschrift1").
    """

    def __init__(self) -> None:
        self._styles: dict[str, _Style] = {}
        self._style = _Style()
        self._levels: dict[str, int | None] = {}

    def level(self, style_id: str) -> int | None:
        """Give the level of a style by its id; None if it is no heading's."""
        if not self._styles:
            return _named_level(style_id)  # a file without styles: "Heading1" can be nothing else
        passed = []
        while style_id in self._styles and style_id not in self._levels:
            passed.append(style_id)
            style = self._styles[style_id]
            self._levels[style_id] = style.level  # here ends a style that is based on itself
            style_id = style.based_on if style.level is None else ""
        found = self._levels[passed[-1]] if passed and not style_id else self._levels.get(style_id)
        self._levels.update(dict.fromkeys(passed, found))
        return found or None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        namespace, _, name = tag.rpartition("}")
        if f"{namespace}}}" not in NAMESPACES:
            return
        match name:
            case "style":
                self._style = self._styles[attribute(attributes, "styleId")] = _Style()
            case "name":
                self._style.level = _named_level(attribute(attributes, "val"))
            case "outlineLvl" if self._style.level is None:
                self._style.level = outline_level(attributes)
            case "basedOn":
                self._style.based_on = attribute(attributes, "val")

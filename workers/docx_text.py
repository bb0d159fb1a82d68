"""Read the text of a DOCX file: its paragraphs and table rows, and which of them are headings."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from zipfile import BadZipFile

from lxml import etree

from workers.content import Block, Content, content_of
from workers.docx_package import Package, XmlTarget
from workers.docx_styles import NAMESPACES, Styles, attribute, outline_level
from workers.errors import UnreadableError, unreadable_if_damaged
from workers.limits import check_characters, document_max_characters

_CELL_BREAK = " | "
_OLE_MARK = b"\xd0\xcf\x11\xe0"
_UNSEEN = frozenset(
    f"{namespace}{name}"
    for namespace in NAMESPACES
    # what was deleted or moved away, former properties, tab stops, and how a word sounds, written above it
    for name in ("del", "moveFrom", "pPrChange", "tcPrChange", "rPr", "tabs", "rt")
) | {"{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}  # says the same as the Choice before it
"""Elements that are left out with all that is in them."""

_SYMBOLS = {
    0x44: "\N{GREEK CAPITAL LETTER DELTA}",
    0x61: "\N{GREEK SMALL LETTER ALPHA}",
    0x62: "\N{GREEK SMALL LETTER BETA}",
    0x67: "\N{GREEK SMALL LETTER GAMMA}",
    0x6D: "µ",
    0xA3: "≤",
    0xAE: "→",
    0xB0: "°",
    0xB1: "±",
    0xB3: "≥",
    0xB4: "\N{MULTIPLICATION SIGN}",
    0xB7: "•",
}
"""Characters of the font Symbol. Others become U+FFFD and are not left out: 5 µg without its µ is another dose."""


def read_docx(data: bytes) -> Content:
    """Read the paragraphs, and the rows of tables with their cells in one line.

    Raises:
        UnreadableError: Not a DOCX file, damaged, or encrypted.
        TooLargeError: It unpacks to too much, or its text is too long.
    """
    if data.startswith(_OLE_MARK):
        raise UnreadableError("not a DOCX file: one that is encrypted and needs a password, or a .doc of before 2007")
    with unreadable_if_damaged("not a DOCX file, or a damaged one", BadZipFile, etree.LxmlError):
        return content_of(_blocks(Package(data)))


def _blocks(package: Package) -> Iterator[Block]:
    main = package.related("", "officeDocument") or "word/document.xml"
    styles_part = package.related(main, "styles") or "word/styles.xml"
    styles = Styles()
    if styles_part in package:
        for _ in package.parse(styles_part, styles):
            pass
    body = _Body(styles)
    for _ in package.parse(main, body):
        yield from body.blocks
        body.blocks.clear()


@dataclass(slots=True)
class _Paragraph:
    text: StringIO = field(default_factory=StringIO)
    style: str = ""
    level: int | None = None
    """None: that of the style. 0: none."""


@dataclass(slots=True)
class _Cell:
    paragraphs: list[str] = field(default_factory=list)
    continues: bool = False
    """It is a further part of a merged cell: what it holds is not shown."""


class _Body(XmlTarget):
    """Makes blocks of the document; tables may lie in cells, and text boxes in paragraphs."""

    def __init__(self, styles: Styles) -> None:
        self.blocks: list[Block] = []
        """Those that are complete. The caller takes them out."""
        self._styles = styles
        self._paragraphs: list[_Paragraph] = []
        self._rows: list[list[str]] = []
        self._cells: list[_Cell] = []
        self._is_document = False
        self._is_text = False
        self._unseen_depth = 0
        self._characters = 0
        self._max_characters = document_max_characters()
        self._starts = _by_tag(
            document=self._start_document,
            p=lambda _: self._paragraphs.append(_Paragraph()),
            pStyle=self._start_style,
            outlineLvl=self._start_outline_level,
            t=self._start_text,
            tab=lambda _: self._add("\t"),
            ptab=lambda _: self._add("\t"),
            br=self._start_break,
            cr=lambda _: self._add("\n"),
            noBreakHyphen=lambda _: self._add("-"),
            sym=self._start_symbol,
            tr=lambda _: self._rows.append([]),
            tc=lambda _: self._cells.append(_Cell()),
            vMerge=self._start_merge,
            hMerge=self._start_merge,
        )
        self._ends = _by_tag(t=self._end_text, p=self._end_paragraph, tc=self._end_cell, tr=self._end_row)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._unseen_depth or tag in _UNSEEN:
            self._unseen_depth += 1
        elif handle := self._starts.get(tag):
            handle(attributes)
        if not self._is_document:
            raise UnreadableError("not a Word document")

    def end(self, tag: str) -> None:
        if self._unseen_depth:
            self._unseen_depth -= 1
        elif handle := self._ends.get(tag):
            handle()

    def data(self, text: str) -> None:
        if self._is_text:
            self._add(text)

    def _start_document(self, _: Mapping[str, str]) -> None:
        self._is_document = True

    def _start_style(self, attributes: Mapping[str, str]) -> None:
        if self._paragraphs:
            self._paragraphs[-1].style = attribute(attributes, "val")

    def _start_outline_level(self, attributes: Mapping[str, str]) -> None:
        if self._paragraphs:
            self._paragraphs[-1].level = outline_level(attributes)

    def _start_text(self, _: Mapping[str, str]) -> None:
        self._is_text = True

    def _end_text(self) -> None:
        self._is_text = False

    def _start_break(self, attributes: Mapping[str, str]) -> None:
        if attribute(attributes, "type") not in {"page", "column"}:
            self._add("\n")

    def _start_symbol(self, attributes: Mapping[str, str]) -> None:
        self._add(_symbol(attribute(attributes, "font"), attribute(attributes, "char")))

    def _start_merge(self, attributes: Mapping[str, str]) -> None:
        if self._cells and attribute(attributes, "val") != "restart":
            self._cells[-1].continues = True

    def _add(self, text: str) -> None:
        if self._paragraphs:
            self._count(len(text))
            self._paragraphs[-1].text.write(text)

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > self._max_characters:
            check_characters(self._characters, self._max_characters)

    def _end_paragraph(self) -> None:
        if not self._paragraphs:
            return
        paragraph = self._paragraphs.pop()
        text = paragraph.text.getvalue().strip()
        if not text:
            return
        level = self._styles.level(paragraph.style) if paragraph.level is None else paragraph.level
        self._put(text, level or None)

    def _end_cell(self) -> None:
        if not self._cells:
            return
        cell = self._cells.pop()
        self._count(len(_CELL_BREAK))
        text = "" if cell.continues else "\n".join(cell.paragraphs)
        if self._rows:
            self._rows[-1].append(text)
        else:
            self._put(text)

    def _end_row(self) -> None:
        row = self._rows.pop() if self._rows else []
        if any(row):
            self._put(_CELL_BREAK.join(row))

    def _put(self, text: str, level: int | None = None) -> None:
        """Put a text into the cell that it lies in, else it is a block."""
        if self._cells:
            self._cells[-1].paragraphs.append(text)
        else:
            self.blocks.append(Block(text, level))


def _symbol(font: str, code: str) -> str:
    """Give the character that a font has at a place of its own, in hexadecimal: F0 and what the font calls it."""
    number = int(code, 16) if re.fullmatch("[0-9A-Fa-f]{1,4}", code) else 0
    if font.lower() == "symbol":
        return _SYMBOLS.get(number & 0xFF, "\ufffd")
    return chr(number) if chr(number).isprintable() else "\ufffd"


Handler = Callable[..., None]


def _by_tag(**handlers: Handler) -> dict[str, Handler]:
    return {f"{namespace}{name}": handle for namespace in NAMESPACES for name, handle in handlers.items()}

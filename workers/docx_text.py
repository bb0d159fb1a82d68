"""Read the text of a DOCX file: its paragraphs, table rows and notes, and which of them are headings."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from zipfile import BadZipFile

from lxml import etree

from workers.content import Block, Content, content_of
from workers.docx_package import Package, XmlTarget
from workers.docx_styles import NAMESPACES, Styles, attribute, is_on, outline_level
from workers.errors import TooLargeError, UnreadableError, unreadable_if_damaged
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

_PROPERTIES = frozenset(f"{namespace}rPr" for namespace in NAMESPACES)
_FORMULAS = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/math}oMath",
    "{http://purl.oclc.org/ooxml/officeDocument/math}oMath",
)
_NOTES = ("footnote", "endnote")
_NOTE_TAGS = frozenset(f"{namespace}{kind}" for namespace in NAMESPACES for kind in _NOTES)
_MAX_NOTES = 100_000

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
    """Read the paragraphs, and the rows of tables with their cells in one line; then the footnotes and the endnotes.

    These stand behind the whole document, and without their numbers: "5 mg" with a note 1 is not "5 mg1". What Word
    does not show is left out: text that is formatted as hidden, and notes that nothing refers to. A formula is
    U+FFFD. Headers and footers are not read.

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
    body = _Body(styles, "document")
    yield from _taken(package, main, body)
    for kind in _NOTES:
        part = package.related(main, f"{kind}s") or f"word/{kind}s.xml"
        if body.notes[kind] and part in package:
            yield from _taken(package, part, _Body(styles, f"{kind}s", body.notes[kind]))


def _taken(package: Package, part: str, body: "_Body") -> Iterator[Block]:
    for _ in package.parse(part, body):
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


@dataclass(slots=True)
class _Run:
    """Formatted text. Where two styles hide it, the one undoes the other (ECMA-376 part 1, 17.7.3).

    What is struck through by its own format does not stand any more, and is left out likewise.
    """

    is_in_hidden: bool
    is_hidden_by_styles: bool
    says: bool | None = None
    is_struck: bool = False

    @property
    def is_hidden(self) -> bool:
        return self.is_in_hidden or self.is_struck or (self.is_hidden_by_styles if self.says is None else self.says)


class _Body(XmlTarget):
    """Makes blocks of a part; tables may lie in cells, and text boxes in paragraphs.

    Args:
        styles: Those of the document.
        root: What the part consists of.
        wanted: The ids of the notes to read, where it consists of notes.
    """

    def __init__(self, styles: Styles, root: str, wanted: Collection[str] = ()) -> None:
        self.blocks: list[Block] = []
        """Those that are complete. The caller takes them out."""
        self.notes: dict[str, set[str]] = {kind: set() for kind in _NOTES}
        """The ids of the footnotes and endnotes that are referred to."""
        self._styles = styles
        self._wanted = wanted
        self._runs: list[_Run] = []
        self._is_run_new = False
        self._is_in_run_properties = False
        self._paragraphs: list[_Paragraph] = []
        self._rows: list[list[str]] = []
        self._cells: list[_Cell] = []
        self._has_root = False
        self._is_text = False
        self._unseen_depth = 0
        self._characters = 0
        self._max_characters = document_max_characters()
        self._starts = _by_tag(
            **{root: self._start_root},
            r=self._start_run,
            footnoteReference=lambda attributes: self._refer("footnote", attributes),
            endnoteReference=lambda attributes: self._refer("endnote", attributes),
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
        # One half is not 1 2: of a formula it is said that something is there.
        self._starts |= dict.fromkeys(_FORMULAS, lambda _: self._add("\ufffd"))
        self._ends = _by_tag(
            t=self._end_text, r=self._end_run, p=self._end_paragraph, tc=self._end_cell, tr=self._end_row
        )
        self._run_properties = _by_tag(
            rStyle=self._style_run, vanish=self._hide_run, strike=self._strike_run, dstrike=self._strike_run
        )

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        # Properties come first in a run; elsewhere they are those of the end of a paragraph.
        is_first_in_run, self._is_run_new = self._is_run_new, False
        if self._unseen_depth:
            if self._is_in_run_properties and self._unseen_depth == 1 and (handle := self._run_properties.get(tag)):
                handle(attributes)
            self._unseen_depth += 1
        elif tag in _UNSEEN or (tag in _NOTE_TAGS and not self._is_wanted(attributes)):
            self._unseen_depth = 1
            self._is_in_run_properties = is_first_in_run and tag in _PROPERTIES
        elif handle := self._starts.get(tag):
            handle(attributes)
        if not self._has_root:
            raise UnreadableError("not a Word document")

    def end(self, tag: str) -> None:
        if self._unseen_depth:
            self._unseen_depth -= 1
        elif handle := self._ends.get(tag):
            handle()

    def data(self, text: str) -> None:
        if self._is_text:
            self._add(text)

    def _start_root(self, _: Mapping[str, str]) -> None:
        self._has_root = True

    def _is_wanted(self, attributes: Mapping[str, str]) -> bool:
        return attribute(attributes, "id") in self._wanted

    def _refer(self, kind: str, attributes: Mapping[str, str]) -> None:
        if self._runs and self._runs[-1].is_hidden:
            return
        self.notes[kind].add(attribute(attributes, "id"))
        if len(self.notes[kind]) > _MAX_NOTES:
            raise TooLargeError(f"the document has more than {_MAX_NOTES:,} {kind}s")

    def _start_run(self, _: Mapping[str, str]) -> None:
        style = self._paragraphs[-1].style if self._paragraphs else ""
        is_in_hidden = bool(self._runs) and self._runs[-1].is_hidden
        self._runs.append(_Run(is_in_hidden, bool(style) and self._styles.hides(style)))
        self._is_run_new = True

    def _style_run(self, attributes: Mapping[str, str]) -> None:
        self._runs[-1].is_hidden_by_styles ^= self._styles.hides(attribute(attributes, "val"))

    def _hide_run(self, attributes: Mapping[str, str]) -> None:
        self._runs[-1].says = is_on(attributes)

    def _strike_run(self, attributes: Mapping[str, str]) -> None:
        self._runs[-1].is_struck |= is_on(attributes)

    def _end_run(self) -> None:
        self._is_run_new = False
        if self._runs:
            self._runs.pop()

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
        if self._paragraphs and not (self._runs and self._runs[-1].is_hidden):
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

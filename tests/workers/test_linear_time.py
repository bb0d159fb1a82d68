"""Each reader and each part of the analysis takes linear time, also for hostile input.

A row is a function, and a family of inputs that is as long as one asks for. Many of them took minutes once: a pattern
that is tried again from each place, a list that is searched for each of its entries, a text that is copied each time.
"""

from contextlib import suppress
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject
from support.doubling import MAX_RATIO, doubling_ratio

from workers.analysis.findings import merge_findings
from workers.analysis.key_phrases import find_key_phrases
from workers.analysis.readability import measure_readability
from workers.analysis.report import AnalysisType, analyse
from workers.analysis.structure import split_paragraphs, split_sentences
from workers.documents import Document
from workers.errors import InputError
from workers.formats import read_content
from workers.tables.compiler import compile_step
from workers.tables.steps import Dedupe

pytestmark = pytest.mark.thorough


def reader(suffix):
    def read(data: bytes) -> None:
        with suppress(InputError):  # a refusal takes its time too
            read_content(data, suffix)

    return read


def repeated(*pieces: str, before: str = "", after: str = ""):
    """A family: each piece n times, one piece after the other."""
    return lambda size: (before + "".join(piece * size for piece in pieces) + after).encode()


def numbered(template: str, before: str = "", after: str = ""):
    """A family: the template with the numbers below n."""
    return lambda size: (before + "".join(template.format(number) for number in range(size)) + after).encode()


def docx_of(family):
    """A family of DOCX files, with another one in the body."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"

    def make(size: int) -> bytes:
        body = family(size)
        data = BytesIO()
        with ZipFile(data, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            start = f'<w:document xmlns:w="{namespace}"><w:body>'.encode()
            archive.writestr("word/document.xml", start + body + b"</w:body></w:document>")
        return data.getvalue()

    return make


def docx_styles(size: int) -> bytes:
    """Styles that are based on one another in one long line, and a paragraph of each."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    based = '<w:style w:styleId="s{}"><w:basedOn w:val="s{}"/></w:style>'
    styles = "".join(based.format(number, number + 1) for number in range(size))
    body = "".join(f'<w:p><w:pPr><w:pStyle w:val="s{number}"/></w:pPr></w:p>' for number in range(size))
    data = BytesIO()
    with ZipFile(data, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("word/styles.xml", f'<w:styles xmlns:w="{namespace}">{styles}</w:styles>')
        archive.writestr(
            "word/document.xml", f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>'
        )
    return data.getvalue()


def docx_parts(size: int) -> bytes:
    data = BytesIO()
    with ZipFile(data, "w") as archive:
        for number in range(size):
            archive.writestr(f"word/{number}.xml", b"")
    return data.getvalue()


def pdf_of(pages: int, lines: str, bookmarks: int = 0, title: str = "Part {}") -> bytes:
    """A PDF of pages with the same text; its bookmarks lead to the first page."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject(f"/{key}"): NameObject(f"/{value}")
            for key, value in {"Type": "Font", "Subtype": "Type1", "BaseFont": "Helvetica"}.items()
        }
    )
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 9 Tf 14 TL 20 800 Td {lines} ET".encode())
    contents, font_reference = writer._add_object(stream), writer._add_object(font)
    for _ in range(pages):
        page = writer.add_blank_page(600, 900)
        page[NameObject("/Contents")] = contents
        fonts = DictionaryObject({NameObject("/F1"): font_reference})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    for number in range(bookmarks):
        writer.add_outline_item(title=title.format(number), page_number=0)
    data = BytesIO()
    writer.write(data)
    return data.getvalue()


def analysed(text: bytes) -> None:
    decoded = text.decode()
    analyse(
        Document(id=None, media_type="text/plain", text=decoded, pages=(decoded,)),
        AnalysisType.FULL,
        max_key_phrases=10,
    )


def word(number: int) -> str:
    """A word of letters that differs for each number."""
    return f"x{number:x}".translate(str.maketrans("0123456789", "ghijklmnop"))


def key_phrases(sentences_: list[str]) -> None:
    find_key_phrases(sentences_, "en", limit=10)


def syllables(words: list[str]) -> None:
    measure_readability(words, 1, "en")


def sentences(text: bytes) -> None:
    decoded = text.decode()
    split_sentences(decoded, split_paragraphs(decoded), "en")


ROWS = {
    # Markdown
    "atx, spaces, text": (reader(".md"), repeated(" ", before="# a", after="b"), 300_000),
    "atx, hashes and spaces": (reader(".md"), repeated(" #", before="# a", after="b"), 200_000),
    "many headings": (reader(".md"), repeated("# a\n"), 6_000),
    "underlined lines": (reader(".md"), repeated("a\n-\n"), 4_000),
    "an underlined line with spaces": (reader(".md"), repeated(" ", before="a", after="b\n==="), 300_000),
    "rules under one another": (reader(".md"), repeated("===\n"), 8_000),
    "a line of backticks": (reader(".md"), repeated("`"), 300_000),
    "backticks and an end": (reader(".md"), repeated("`", after="a\n``"), 300_000),
    "open fences": (reader(".md"), repeated("```\na\n````a\n"), 10_000),
    "fences of growing length": (
        reader(".md"),
        lambda size: "".join("`" * (3 + n) + "\n" for n in range(round(size**0.5))).encode(),
        1_000_000,
    ),
    "spaces before a line": (reader(".md"), repeated("   \n"), 30_000),
    "nested quotes": (reader(".md"), repeated("> ", after="a\n---"), 200_000),
    "nested lists": (
        reader(".md"),
        lambda size: "".join(" " * n + "- a\n" for n in range(round(size**0.5))).encode(),
        1_000_000,
    ),
    # HTML
    "nested divs": (reader(".html"), repeated("<div>", after="x"), 10_000),
    "nested spans and ends of others": (reader(".html"), repeated("<span>", "</i>"), 8_000),
    "formatting that goes on in each paragraph": (
        reader(".html"),
        lambda size: numbered("<b id={}>")(size) + b"<p>x" * size,
        5_000,
    ),
    "nested tables": (reader(".html"), repeated("<table><tr><td>"), 4_000),
    "cells of one row": (reader(".html"), repeated("<td>a", before="<table><tr>"), 10_000),
    "tags that do not end": (reader(".html"), repeated("<a "), 200_000),
    "quotes that do not end": (reader(".html"), repeated("<a b='", after='"'), 60_000),
    "attributes without a value": (reader(".html"), repeated("a= ", before="<p "), 200_000),
    "comments that do not end": (reader(".html"), repeated("<!--"), 200_000),
    "declarations that do not end": (reader(".html"), repeated("<!"), 300_000),
    "scripts that do not end": (reader(".html"), repeated("<script></scrip "), 60_000),
    "a script full of ends of others": (reader(".html"), repeated("</b>", before="<script>"), 50_000),
    "pictures that do not end": (reader(".html"), repeated("<svg>"), 8_000),
    "pictures in one another": (reader(".html"), repeated("<svg>", "</svg>"), 6_000),
    "less-than signs": (reader(".html"), repeated("< "), 8_000),
    "references": (reader(".html"), repeated("&amp;&x"), 15_000),
    "ampersands": (reader(".html"), repeated("&"), 200_000),
    "one long word": (reader(".html"), repeated("a"), 300_000),
    "white space": (reader(".html"), repeated(" \n"), 200_000),
    "line breaks": (reader(".html"), repeated("<br>"), 12_000),
    "hidden in one another": (reader(".html"), repeated("<div hidden>", "</div>"), 4_000),
    "hidden cells": (reader(".html"), repeated("<td hidden>a", before="<table><tr>"), 6_000),
    "paragraphs that nothing ends": (reader(".html"), repeated("<b>", "<p hidden>", before="<p><button>"), 6_000),
    "ends of what has not begun": (reader(".html"), repeated("<i>", "</b>", before="<b><td>"), 6_000),
    "elements of many names": (reader(".html"), numbered("<a{0} hidden></a{0}>"), 5_000),
    "an attribute and spaces": (reader(".html"), repeated(" ", before="<p hidden", after="=>a"), 200_000),
    "hidden many times": (reader(".html"), repeated(" hidden=a", before="<p", after=">a"), 15_000),
    "a long style": (reader(".html"), repeated("display : ;", before="<p style='", after="'>a"), 15_000),
    "comments in a style": (reader(".html"), repeated("/*", before="<p style='", after="'>a"), 150_000),
    "importance in a style": (reader(".html"), repeated("! ", before="<p style='display:", after="'>a"), 150_000),
    "charset": (reader(".html"), repeated("<meta charset "), 40_000),
    # DOCX
    "paragraphs": (reader(".docx"), docx_of(repeated("<w:p><w:r><w:t>ab</w:t></w:r></w:p>")), 5_000),
    "hidden runs in one another": (
        reader(".docx"),
        docx_of(
            repeated("<w:r><w:rPr><w:vanish/></w:rPr><w:t>a</w:t></w:r>", before="<w:p><w:r>", after="</w:r></w:p>")
        ),
        3_000,
    ),
    "references to notes": (
        reader(".docx"),
        docx_of(numbered('<w:footnoteReference w:id="{}"/>', before="<w:p><w:r>", after="</w:r></w:p>")),
        5_000,
    ),
    "runs of one paragraph": (
        reader(".docx"),
        docx_of(repeated("<w:r><w:t>ab</w:t></w:r>", before="<w:p>", after="</w:p>")),
        8_000,
    ),
    "cells": (reader(".docx"), docx_of(repeated("<w:tc><w:p/></w:tc>", before="<w:tr>", after="</w:tr>")), 5_000),
    "tables in one another": (
        reader(".docx"),
        docx_of(repeated("<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p>", "</w:tc></w:tr></w:tbl>")),
        1_000,
    ),
    "text boxes in one another": (
        reader(".docx"),
        docx_of(repeated("<w:p><w:r><w:txbxContent>", "</w:txbxContent></w:r></w:p>")),
        1_000,
    ),
    "one long text": (
        reader(".docx"),
        docx_of(repeated("a", before="<w:p><w:r><w:t>", after="</w:t></w:r></w:p>")),
        1_000_000,
    ),
    "references in XML": (
        reader(".docx"),
        docx_of(repeated("&amp;", before="<w:p><w:r><w:t>", after="</w:t></w:r></w:p>")),
        40_000,
    ),
    "one long name": (reader(".docx"), docx_of(repeated("a", before="<w:p ", after='=""/>')), 4_000_000),
    "attributes": (reader(".docx"), docx_of(numbered(' a{}=""', before="<w:p", after="/>")), 5_000),
    "namespaces": (reader(".docx"), docx_of(numbered(' xmlns:a{}="b"', before="<w:p", after="/>")), 15_000),
    "styles based on one another": (reader(".docx"), docx_styles, 1_500),
    "parts": (reader(".docx"), docx_parts, 2_000),
    # PDF
    "pages": (reader(".pdf"), lambda size: pdf_of(size, "(Hello) Tj"), 30),
    "lines of a page": (reader(".pdf"), lambda size: pdf_of(1, "(a) Tj T* " * size), 800),
    "words of a line": (reader(".pdf"), lambda size: pdf_of(1, "(a b) Tj " * size), 800),
    "bookmarks of a page that lacks them": (
        reader(".pdf"),
        lambda size: pdf_of(1, "(Part) Tj T* " * size, size, "Chapter {}"),
        150,
    ),
    "bookmarks of one title": (reader(".pdf"), lambda size: pdf_of(1, "(Part) Tj T* " * size, size, "Part"), 150),
    "a title of many words": (reader(".pdf"), lambda size: pdf_of(1, "(a) Tj T* " * size, 1, "a " * size), 500),
    # analysis
    "dots": (sentences, repeated(".", after="x"), 200_000),
    "dots and brackets": (sentences, repeated(".", ")", after="x"), 100_000),
    "dots and brackets in turn": (sentences, repeated(".)", after="x"), 100_000),
    "full stops of ideographs": (sentences, repeated("。", after="x"), 300_000),
    "titles that end no sentence": (sentences, repeated("Dr. "), 6_000),
    "initials": (sentences, repeated("A. "), 6_000),
    "lines of a hundred letters": (sentences, repeated("a" * 99 + "\n"), 4_000),
    "lines with spaces": (sentences, repeated(" ", "\n"), 300_000),
    "lines of spaces": (sentences, repeated(" \n"), 200_000),
    "carriage returns": (sentences, repeated("\n\r", after="x"), 200_000),
    "list items": (sentences, repeated("\n- a"), 4_000),
    "list marks without items": (sentences, repeated("\n  1) "), 6_000),
    "key phrases of one sentence": (key_phrases, lambda size: [" ".join(map(word, range(size)))], 3_000),
    "key phrases of many sentences": (key_phrases, lambda size: list(map(word, range(size))), 3_000),
    "key phrases of one long word": (key_phrases, lambda size: ["a" * size, "b" * size], 100_000),
    "syllables of one long word": (syllables, lambda size: ["iole" * size], 30_000),
    "syllables of many words": (syllables, lambda size: ["iole"] * size, 8_000),
    "the analysis of dots": (analysed, repeated(".", before="The text of it is about dots", after="x"), 100_000),
    "the analysis of a long word": (analysed, repeated("a", before="the text is about "), 40_000),
    "the analysis of apostrophes": (analysed, repeated("a'", before="the text is about "), 30_000),
    "the analysis of digits": (analysed, repeated("1", before="the text is about "), 100_000),
    "the analysis of an address": (analysed, repeated("a.", before="the text is about https://", after=" x"), 20_000),
    "the analysis of at-signs": (analysed, repeated("a@", before="the text is about "), 10_000),
    "the analysis of plus signs": (analysed, repeated("+", before="the text is about "), 30_000),
    "the analysis of numbered lines": (analysed, numbered("{}. Part of it\n"), 1_500),
    "the analysis of lines in capitals": (analysed, repeated("THE TEXT\n"), 2_000),
    "the analysis of one long line in capitals": (analysed, repeated("THE TEXT "), 3_000),
    "the analysis of colons": (analysed, repeated(":", before="THE TEXT", after="\n"), 100_000),
    "the analysis of vowels": (analysed, repeated("io", before="the text is about "), 30_000),
    # what is merged, and tables
    "findings": (
        lambda items: merge_findings([{"kind": "entity_extraction", "entities": items}]),
        lambda size: [{"label": "person", "text": f"p{n}", "start": size - n, "end": n} for n in range(size)],
        3_000,
    ),
    "columns": (
        lambda columns: compile_step(Dedupe(step="dedupe"), "t", columns),
        lambda size: [f"c{n}" for n in range(size)],
        6_000,
    ),
    "columns called alike": (
        lambda columns: compile_step(Dedupe(step="dedupe"), "t", columns),
        lambda size: ["place" + "_" * n for n in range(round(size**0.5))],
        2_000_000,
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_twice_the_input_takes_twice_the_time(row):
    function, family, size = ROWS[row]
    assert doubling_ratio(function, family, size) <= MAX_RATIO

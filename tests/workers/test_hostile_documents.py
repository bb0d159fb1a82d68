"""Each reader gives a content or an InputError for any bytes, and stays within a memory that a worker can spare."""

import subprocess
import sys
import zlib

import pytest
from docx_files import archive, cell, document, docx_file, paragraph, styles
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from workers.analysis.report import AnalysisType, analyse
from workers.documents import Document
from workers.errors import InputError
from workers.folder import SAMPLE_DOCUMENTS_DIR
from workers.formats import MEDIA_TYPES, read_content

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]
MEMORY_BYTES = 2**30
SUFFIXES = sorted({*MEDIA_TYPES, ""})
any_document = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_whatever_it_is(data: bytes, suffix: str) -> None:
    try:
        media_type, content = read_content(data, suffix)
    except InputError:
        return
    text = content.text
    for heading in content.headings:
        assert text[heading.start : heading.end] == heading.text
    document_ = Document(id=None, media_type=media_type, text=text, pages=content.pages, headings=content.headings)
    analyse(document_, AnalysisType.FULL, max_key_phrases=10)


def built_of(*pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=40).map("".join)


MARKDOWN = built_of("# ", "##", "a", " ", "\n", "```", "~~~", "===", "---", "\t", "é", "|", "> ", "1. ", "Dr. ", "\r")
HTML = built_of(
    "<", ">", "</", "<!--", "-->", "<p", "<h1>", "</h1>", "<td>", "<tr>", "<svg>", "</svg>", "<script>", "</script>",
    "<textarea>", '"', "'", "=", " ", "\n", "a", "&amp;", "&#x0;", "&#xd800;", "&", "<br>", "<template>", "\0",
)  # fmt: skip
WORD_XML = built_of(
    "<w:p>", "</w:p>", "<w:r>", "</w:r>", "<w:t>", "</w:t>", "<w:tc>", "</w:tc>", "<w:tr>", "</w:tr>", "<w:del>",
    "</w:del>", "<w:br/>", "<w:tab/>", "<w:vMerge/>", "<w:txbxContent>", "</w:txbxContent>", "a", "&amp;", "&#0;",
    '<w:pStyle w:val="Heading1"/>', '<w:outlineLvl w:val="x"/>', '<w:sym w:char="zz"/>', '<w:sym w:char="D800"/>',
)  # fmt: skip
ELEMENTS = st.recursive(
    st.sampled_from(["a", "<w:br/>", "<w:vMerge/>", '<w:outlineLvl w:val="3"/>', '<w:sym w:char="D800"/>', ""]),
    lambda inner: st.builds(
        "<w:{0}>{1}</w:{0}>".format,
        st.sampled_from(["p", "r", "t", "tc", "tr", "tbl", "del", "txbxContent", "pPr", "tabs"]),
        st.lists(inner, max_size=4).map("".join),
    ),
)
SAMPLES = {path.suffix: path.read_bytes() for path in SAMPLE_DOCUMENTS_DIR.iterdir() if path.suffix in MEDIA_TYPES}


@any_document
@given(st.binary(max_size=400), st.sampled_from(SUFFIXES))
def test_any_bytes(data, suffix):
    read_whatever_it_is(data, suffix)


@any_document
@given(MARKDOWN)
def test_any_markdown(text):
    read_whatever_it_is(text.encode(), ".md")


@any_document
@given(HTML)
def test_any_html(page):
    read_whatever_it_is(page.encode(), ".html")


@any_document
@given(WORD_XML | ELEMENTS)
@example("<w:p>" * 3000)
def test_any_word_document(body):
    read_whatever_it_is(docx_file(body), ".docx")


@any_document
@given(st.binary(max_size=300), st.sampled_from(["word/document.xml", "word/styles.xml", "_rels/.rels"]))
def test_any_part_of_a_word_document(data, part):
    parts = {"word/document.xml": document(paragraph("a")), "word/styles.xml": styles(), "_rels/.rels": b"<a/>"}
    read_whatever_it_is(archive(parts | {part: data}), ".docx")


@any_document
@given(st.sampled_from([".pdf", ".docx"]), st.data())
def test_any_damage_to_a_file(suffix, data):
    damaged = bytearray(SAMPLES[suffix])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=30)):
        damaged[place] = data.draw(st.sampled_from([0, 32, 48, 57, 60, 62, 127, 255]) | st.integers(0, 255))
    read_whatever_it_is(bytes(damaged), suffix)


PDF_PIECES = built_of(
    "<<", ">>", "[", "]", "(", ")", "/Type ", "/Pages ", "/Kids ", "/Count ", "/Page ", "/Catalog ", "/Parent ",
    "/Contents ", "/Outlines ", "/First ", "/Next ", "/Encrypt ", "/Filter ", "/BrotliDecode ", "1 0 R ", "2 0 R ",
    "3 0 R ", "-1 ", "99999999999 ", "null ", "true ", "stream\n", "\nendstream", "<ff>", "1.5.5 ", "% ", "\n",
)  # fmt: skip


@any_document
@given(st.lists(PDF_PIECES, min_size=1, max_size=5))
def test_any_pdf_objects(objects):
    read_whatever_it_is(pdf_file([part.encode() for part in objects]), ".pdf")


def pdf_file(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of numbered objects, of which the first is the catalogue."""
    data = b"%PDF-1.7\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
        + b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, len(data))
    )


def pdf_page(content: bytes) -> bytes:
    """A PDF of one page with this content, packed twice."""
    packed = zlib.compress(zlib.compress(content))
    return pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << >> >> >>",
            b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%b\nendstream" % (len(packed), packed),
        ]
    )


def forged(data: bytes) -> bytes:
    """The archive, with a size in its directory that is a lie."""
    changed = bytearray(data)
    entry = data.rindex(b"PK\x01\x02")
    changed[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    return bytes(changed)


WIDE_CELL = cell(paragraph("a"), '<w:gridSpan w:val="2000000000"/>')
LONG_PARAGRAPH = "<w:p><w:r><w:t>" + "a" * 200_000_000 + "</w:t></w:r></w:p>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
OUTLINED = b"<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1 1] >>"
LOOP = b"%PDF-1.7\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 2 /Root 1 0 R /Prev 9 >>\nstartxref\n9\n%%EOF"
BOMBS = {
    "wide.docx": lambda: docx_file(f"<w:tbl><w:tr>{WIDE_CELL}</w:tr></w:tbl>"),
    "paragraphs.docx": lambda: docx_file("<w:p/>" * 1_000_000),
    "long.docx": lambda: docx_file(LONG_PARAGRAPH),
    "forged.docx": lambda: forged(docx_file(LONG_PARAGRAPH)),
    "deep.docx": lambda: docx_file("<w:tbl><w:tr><w:tc>" * 100_000),
    "parts.docx": lambda: b"PK\x03\x04" + b"PK\x01\x02" * 1_000_000,
    "page.pdf": lambda: pdf_page(b"\0" * 200_000_000),
    "pages.pdf": lambda: pdf_file([CATALOG, b"<< /Type /Pages /Kids [" + b"3 0 R " * 200_000 + b"] >>", PAGE]),
    "page-loop.pdf": lambda: pdf_file([CATALOG, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"]),
    "page-fan.pdf": lambda: pdf_file(
        [CATALOG, *(b"<< /Type /Pages /Kids [%d 0 R %d 0 R] >>" % (kid, kid) for kid in range(3, 40)), PAGE]
    ),
    "page-count.pdf": lambda: pdf_file([CATALOG, b"<< /Type /Pages /Kids [] /Count 2000000000 >>"]),
    "outline-loop.pdf": lambda: pdf_file(
        [
            OUTLINED,
            PAGES,
            PAGE,
            b"<< /First 5 0 R >>",
            b"<< /Title (a) /Next 5 0 R /First 5 0 R /Dest [3 0 R /Fit] >>",
        ]
    ),
    "xref-loop.pdf": lambda: LOOP,
    "xref-size.pdf": lambda: LOOP.replace(b"0 1\n", b"0 2000000000\n"),
    "formatting.html": lambda: b"".join(b"<b id=%d>" % n for n in range(5_000)) + b"<p>a" * 5_000,
    "divs.html": lambda: b"<div>" * 1_000_000,
    "headings.md": lambda: b"# a\n" * 200_000,
}
READ_ALL = f"""
import resource, sys
from pathlib import Path
from pypdf import PdfReader
from workers.errors import InputError
from workers.formats import read_content
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        outcome = len(read_content(path.read_bytes(), path.suffix)[1].text)
    except InputError as error:
        outcome = type(error).__name__
    except BaseException as error:
        outcome = repr(error)
    print(path.name, outcome, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept on Linux only")
def test_small_bombs_give_a_content_or_an_input_error_within_a_gigabyte(tmp_path):
    for name, bomb in BOMBS.items():
        (tmp_path / name).write_bytes(bomb())
    child = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    outcomes = dict(line.split(" ", 1) for line in child.stdout.splitlines())
    assert outcomes.keys() == BOMBS.keys(), child.stderr[-2000:]
    assert {name: outcomes[name] for name in ("wide.docx", "paragraphs.docx", "divs.html")} == {
        "wide.docx": "1",
        "paragraphs.docx": "0",
        "divs.html": "0",
    }
    for name in ("long.docx", "parts.docx", "page.pdf", "pages.pdf", "headings.md"):
        assert outcomes[name] == "TooLargeError", name
    assert all(outcome.isdigit() or outcome.endswith("Error") for outcome in outcomes.values()), outcomes

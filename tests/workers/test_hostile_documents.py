"""Each reader gives a content or an InputError for any bytes, and stays within a memory that a worker can spare."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.docx_files import archive, document, docx_file, paragraph, styles
from support.small_bombs import BOMBS, pdf_file

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
    '<w:pStyle w:val="Heading1"/>', "<w:rPr>", "</w:rPr>", "<w:vanish/>", '<w:rStyle w:val="a"/>',
    '<w:outlineLvl w:val="x"/>', '<w:sym w:char="zz"/>', '<w:sym w:char="D800"/>',
)  # fmt: skip
ELEMENTS = st.recursive(
    st.sampled_from(["a", "<w:br/>", "<w:vMerge/>", '<w:outlineLvl w:val="3"/>', '<w:sym w:char="D800"/>', ""]),
    lambda inner: st.builds(
        "<w:{0}>{1}</w:{0}>".format,
        st.sampled_from(["p", "r", "t", "tc", "tr", "tbl", "del", "txbxContent", "pPr", "rPr", "vanish", "tabs"]),
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

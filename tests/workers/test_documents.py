import os

import pytest
from pydantic import ValidationError
from pypdf import PdfReader, PdfWriter
from support.docx_files import archive, document, paragraph
from support.small_bombs import pdf_file

from workers.documents import Document, DocumentInput
from workers.errors import InputError, NameRefusedError, NotFoundError, TooLargeError, UnreadableError
from workers.folder import SAMPLE_DOCUMENTS_DIR
from workers.progress import untracked
from workers.work.reading import read_document


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A document folder, with a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    documents = tmp_path / "documents"
    documents.mkdir()
    monkeypatch.setenv("DOCUMENTS_DIR", str(documents))
    return documents


def read(document_id: str) -> Document:
    return DocumentInput(document_id=document_id).read()


def test_the_offsets_of_headings_point_at_them_in_every_sample_document():
    for name in ("doc123", "discharge-summary", "visitor-guide", "hafenordnung"):
        document = read(name)
        assert document.headings
        for heading in document.headings:
            assert document.text[heading.start : heading.end] == heading.text


def test_a_pdf_has_a_text_for_each_page_and_the_text_is_the_pages_joined():
    document = read("doc123")
    assert document.media_type == "application/pdf"
    assert len(document.pages) == 3
    assert document.text == "\n\n".join(document.pages)
    assert "metformin, lisinopril, atorvastatin" in document.pages[1]


def test_the_bookmarks_of_a_pdf_are_its_headings():
    levels = {heading.text: heading.level for heading in read("doc123").headings}
    assert levels["Annual Report 2030"] == 1
    assert levels["3. The medicine programme"] == 2
    assert levels["3.2 Limits"] == 3


def test_a_docx_gives_paragraphs_and_tables_in_their_order():
    text = read("discharge-summary").text
    assert text.index("Known asthma") < text.index("Levothyroxine | 75 micrograms") < text.index("Please repeat")


def test_html_gives_what_a_reader_sees_and_nothing_of_scripts_and_styles():
    text = read("visitor-guide").text
    assert "Port Ellery is a fictional fishing town with 9,200 inhabitants." in text
    assert "€14.50" in text
    assert "Monday to Friday | 7:00 | 18:30" in text
    assert "sans-serif" not in text
    assert "document.title" not in text


def test_a_heading_mark_inside_fenced_code_is_no_markdown_heading(folder):
    (folder / "a.md").write_text("# One\n\n```\n# not one\n```\n\nTwo\n---\n")
    assert [(heading.level, heading.text) for heading in read("a").headings] == [(1, "One"), (2, "Two")]


def test_a_document_is_found_with_and_without_its_suffix():
    assert read("doc456").text == read("doc456.txt").text


def test_a_document_may_lie_in_a_subfolder(folder):
    (folder / "2031").mkdir()
    (folder / "2031" / "letter.txt").write_text("hello")
    assert read("2031/letter").text == "hello"


def test_inline_text_is_taken_as_it_is():
    text = "one\r\n two\u00a0"
    document = DocumentInput(text=text).read()
    assert document.text == text
    assert document.pages == (text,)
    assert document.id is None


@pytest.mark.parametrize("payload", [{}, {"text": "a", "document_id": "b"}, {"text": None}, {"text": "a", "x": 1}])
def test_a_payload_that_does_not_name_exactly_one_input_is_refused(payload):
    with pytest.raises(ValidationError):
        DocumentInput.model_validate(payload)


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "../secret.txt",
        "..",
        ".",
        "a/../../secret",
        "/etc/passwd",
        "//etc/passwd",
        "..\\secret",
        "C:\\secret",
        "secret\0.txt",
        "a\n",
        "a/",
        "a//b",
        ".hidden",
        "a/.hidden",
        "\u202etxt",
    ],
)
def test_a_name_that_could_leave_the_folder_is_refused_without_a_path_in_the_message(folder, name):
    (folder / ".hidden").write_text("hidden")
    with pytest.raises(NameRefusedError) as caught:
        read(name)
    assert str(folder.parent) not in str(caught.value)


@pytest.mark.parametrize("absolute", [True, False])
def test_a_symbolic_link_out_of_the_folder_is_refused(folder, absolute):
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt" if absolute else "../secret.txt")
    for name in ("link", "link.txt"):
        with pytest.raises(NameRefusedError) as caught:
            read(name)
        assert str(folder.parent) not in str(caught.value)


def test_a_subfolder_that_links_out_of_the_folder_is_refused(folder):
    (folder / "sub").symlink_to(folder.parent)
    with pytest.raises(NameRefusedError):
        read("sub/secret")


def test_a_symbolic_link_within_the_folder_is_followed(folder):
    (folder / "real.txt").write_text("here")
    (folder / "alias.txt").symlink_to("real.txt")
    assert read("alias").text == "here"


def test_a_document_folder_that_is_itself_a_link_works(folder, monkeypatch):
    (folder / "a.txt").write_text("here")
    link = folder.parent / "link"
    link.symlink_to(folder)
    monkeypatch.setenv("DOCUMENTS_DIR", str(link))
    assert read("a").text == "here"


def test_a_loop_of_links_a_folder_a_pipe_and_an_endless_name_are_not_found(folder):
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    for name in ("loop", "folder", "pipe", "x" * 255, "é" * 200):
        with pytest.raises(NotFoundError):
            read(name)


def test_a_refusal_names_no_other_document(folder, monkeypatch):
    for name in ("doc01.txt", "meier-anna.txt", "nothing-at-all.pdf"):
        (folder / name).write_text("")
    for folder_of_documents in (folder, folder / "missing"):
        monkeypatch.setenv("DOCUMENTS_DIR", str(folder_of_documents))
        with pytest.raises(NotFoundError) as caught:
            read("nothing")
        assert str(caught.value) == "there is no 'nothing'"


def test_a_name_that_fits_two_files_asks_for_the_suffix(folder):
    (folder / "a.txt").write_text("text")
    (folder / "a.md").write_text("markdown")
    with pytest.raises(NotFoundError, match=r"suffix too \(\.md, \.txt\)"):
        read("a")
    assert read("a.txt").text == "text"


def test_a_document_of_several_megabytes_is_read(folder):
    text = "The tide comes in. " * 400_000
    (folder / "large.txt").write_text(text)
    assert read("large").text == text


def test_an_input_over_the_limit_is_refused_with_both_sizes(folder, monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "1000")
    (folder / "large.txt").write_text("x" * 1001)
    for payload in (DocumentInput(document_id="large"), DocumentInput(text="é" * 501)):
        with pytest.raises(TooLargeError, match=r"1,00[12] bytes.*1,000"):
            payload.read()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_is_decoded_whatever_common_encoding_it_has(folder, encoding):
    (folder / "a.txt").write_bytes("Größe: 5 µg, naïve café\r\nnext".encode(encoding))
    assert read("a").text == "Größe: 5 µg, naïve café\nnext"


def test_damaged_utf_8_is_read_as_such_where_most_of_it_is_whole(folder):
    for name in ("a.txt", "a.html"):
        (folder / name).write_bytes("Größe: 5 µg, é".encode()[:-1])
        assert read(name).text == "Größe: 5 µg, \ufffd"
    (folder / "b.txt").write_bytes("Müller".encode() + " naïve café €".encode("cp1252"))
    assert read("b").text == "MÃ¼ller naïve café €"


@pytest.mark.parametrize("encoding", ["windows-1251", "shift_jis", "utf-8"])
def test_html_is_decoded_as_it_declares(folder, encoding):
    word = "Привет"
    (folder / "a.html").write_bytes(f'<meta charset="{encoding}"><p>{word}</p>'.encode(encoding))
    assert read("a").text == word


@pytest.mark.parametrize(
    ("declaration", "as_it_is"),
    [
        ('<meta charset="iso-8859-1">', "cp1252"),
        ("<meta charset=latin1>", "cp1252"),
        ("<meta charset=US-ASCII>", "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-1">', "cp1252"),
        ('<?xml version="1.0" encoding="iso-8859-1"?>', "cp1252"),
        ("<!-- <meta charset=koi8-r> --><meta charset=windows-1252>", "cp1252"),
        ("<meta charset=iso-8859-9>", "cp1254"),
    ],
)
def test_html_of_a_latin_alphabet_is_decoded_as_the_encoding_standard_says(folder, declaration, as_it_is):
    text = "€5 \N{EN DASH} “naïve” café…"
    (folder / "a.html").write_bytes(f"{declaration}<p>{text}</p>".encode(as_it_is))
    assert read("a").text == text


@pytest.mark.parametrize(
    ("encoding", "text"), [("gb2312", "镕和你好"), ("shift_jis", "①髙橋"), ("euc-kr", "똠방각하")]
)
def test_html_that_uses_more_than_its_declared_encoding_has_is_read(folder, encoding, text):
    wider = {"gb2312": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949"}[encoding]
    (folder / "a.html").write_bytes(f"<meta charset={encoding}><p>{text}</p>".encode(wider))
    assert read("a").text == text


def test_one_damaged_character_leaves_the_rest_of_a_page_as_it_declares(folder):
    (folder / "a.html").write_bytes("<meta charset=euc-jp><p>日本語".encode("euc-jp") + b"\xff</p>")
    assert read("a").text == "日本語\ufffd"


@pytest.mark.parametrize("declared", ["nonsense", "unicode_escape", "zlib", "utf-16", "cp037"])
def test_html_that_declares_a_wrong_encoding_is_read_as_utf_8(folder, declared):
    (folder / "a.html").write_bytes(f'<meta charset="{declared}"><p>\\x41é</p>'.encode())
    assert read("a").text == "\\x41é"


def test_html_that_is_nested_very_deep_is_read(folder):
    (folder / "a.html").write_text("<div>" * 20_000 + "deep")
    assert read("a").text == "deep"


def test_a_file_without_a_suffix_is_read_by_what_it_holds(folder):
    for source, media_type in (("doc123.pdf", "application/pdf"), ("visitor-guide.html", "text/html")):
        (folder / "upload").write_bytes((SAMPLE_DOCUMENTS_DIR / source).read_bytes())
        assert read("upload").media_type == media_type


@pytest.mark.parametrize("name", ["bad.pdf", "bad.docx", "bad.txt", "empty.pdf", "empty.docx", "table.csv"])
def test_what_is_not_a_readable_document_is_refused(folder, name):
    (folder / name).write_bytes(b"" if name.startswith("empty") else b"%PDF-1.7 PK\x03\x04 \0 rubbish")
    with pytest.raises(UnreadableError) as caught:
        read(name)
    assert str(folder) not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", pdf_file([b"<< /Type /Catalog /Pages (Bloggs) >>"])),
        ("a.pdf", pdf_file([b"Bloggs"])),
        ("a.docx", archive({"word/document.xml": document("<Bloggs><w:p/>")})),
        ("a.docx", archive({"word/document.xml": document("<w:p>&Bloggs;</w:p>")})),
    ],
)
def test_what_is_damaged_is_refused_without_the_parsers_words_which_quote_it(folder, name, data):
    (folder / name).write_bytes(data)
    with pytest.raises(UnreadableError) as caught:
        read("a")
    assert "Bloggs" not in str(caught.value)


def test_a_pdf_that_is_cut_anywhere_is_read_in_part_or_refused(folder):
    whole = (SAMPLE_DOCUMENTS_DIR / "doc123.pdf").read_bytes()
    for size in range(0, len(whole), 97):
        (folder / "cut.pdf").write_bytes(whole[:size])
        try:
            document = read("cut")
        except InputError:
            continue
        assert set(document.pages) <= {*read_sample_pages(), ""}


def read_sample_pages() -> list[str]:
    reader = PdfReader(SAMPLE_DOCUMENTS_DIR / "doc123.pdf")
    return [page.extract_text().strip() for page in reader.pages]


class LoggedJob:
    """A job that keeps what is logged."""

    def __init__(self):
        self.logged = []

    track = staticmethod(untracked)

    def log(self, message, level="info"):
        self.logged.append((level, message))


def test_a_page_without_a_text_is_a_warning_for_it_may_be_a_picture_of_one(folder):
    writer = PdfWriter(clone_from=SAMPLE_DOCUMENTS_DIR / "doc123.pdf")
    writer.insert_blank_page(index=1)
    writer.write(folder / "partly.pdf")
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(folder / "scan.pdf")
    for name, warnings in (
        ("partly", ["pages without a text: 2 (1 in all); pictures of text are not read"]),
        ("scan", ["the document has no text; pictures of text are not read"]),
    ):
        job = LoggedJob()
        read_document(job, DocumentInput(document_id=name))
        assert [message for level, message in job.logged if level == "warning"] == warnings
    job = LoggedJob()
    read_document(job, DocumentInput(text="text"))
    assert job.logged == [("info", "read the text itself: text/plain, 4 characters")]


def test_reading_a_pdf_can_be_stopped_between_two_pages():
    def stop_after_one(pages, total=None, note=""):
        yield from list(pages)[:1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DocumentInput(document_id="doc123").read(stop_after_one)


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"])
def test_an_encrypted_pdf_needs_its_password_and_one_with_an_owners_only_does_not(folder, algorithm):
    for name, password in (("locked", "swordfish"), ("open", "")):
        writer = PdfWriter(clone_from=SAMPLE_DOCUMENTS_DIR / "doc123.pdf")
        writer.encrypt(password, owner_password="owner", algorithm=algorithm)
        writer.write(folder / f"{name}.pdf")
    with pytest.raises(UnreadableError, match="password"):
        read("locked")
    assert "metformin" in read("open").text


def test_a_docx_does_not_pull_in_a_file_through_an_xml_entity(folder):
    secret = (folder.parent / "secret.txt").as_uri()
    entity = f'<!DOCTYPE d [<!ENTITY e SYSTEM "{secret}">]>'
    (folder / "xxe.docx").write_bytes(
        archive({"word/document.xml": entity + document(paragraph("before &e; after"))})
    )
    with pytest.raises(UnreadableError, match="document type definition"):
        read("xxe")


@pytest.mark.parametrize("suffix", ["txt", "md", "html"])
def test_a_text_over_the_limit_of_characters_is_refused(folder, monkeypatch, suffix):
    monkeypatch.setenv("DOCUMENT_MAX_CHARACTERS", "1000")
    (folder / f"long.{suffix}").write_text("x" * 1001)
    for payload in (DocumentInput(document_id="long"), DocumentInput(text="x" * 1001)):
        with pytest.raises(TooLargeError, match=r"DOCUMENT_MAX_CHARACTERS allows: 1,000"):
            payload.read()
    (folder / f"long.{suffix}").write_text("x" * 1000)
    assert len(read("long").text) == 1000


def test_a_pdf_of_more_text_than_the_limit_is_refused_before_its_last_page(monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_CHARACTERS", "500")
    seen = []

    def track(pages, total=None, note=""):
        for page in pages:
            seen.append(page)
            yield page

    with pytest.raises(TooLargeError, match="DOCUMENT_MAX_CHARACTERS"):
        DocumentInput(document_id="doc123").read(track)
    assert len(seen) < 3


@pytest.mark.parametrize("mark", ["# a\n", "a\n==\n"])
def test_a_document_of_more_headings_than_anyone_writes_is_refused(folder, mark):
    (folder / "a.md").write_text(mark * 100_001)
    with pytest.raises(TooLargeError, match="100,000 headings"):
        read("a")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a<svg/>b<svg><title>no</title></svg>c", "abc"),
        ("<p>a<svg>b", "ab"),
        ("<textarea>a <b> &amp; c</textarea>", "a <b> & c"),
        ("<p title='a > b'>c</p><p title=\"d' > e\">f", "c\n\nf"),
        ('<p a=b"c>d', "d"),
        ("<p>1 < 2 <3 </ p>4", "1 < 2 <3 4"),
        ("a<!-- > <p> -->b<!-->c<?php d ?>e", "abce"),
        ("a<script>'</scrip>'</script >b", "ab"),
        ("a<script>b", "a"),
        ("a<select><option>b</select>c", "ac"),
        ("a<b", "a"),
        ("&lt;p&gt; &eacute;&#233;&nbsp;&unknown;", "<p> éé &unknown;"),
        ("<table>\n<tr>\n<td></td>\n<td>a</td>\n<td>b", "| a | b"),
        ("<table><tr><td></td><td> </td></tr></table>", ""),
    ],
)
def test_html_is_read_as_a_browser_reads_it(folder, page, text):
    (folder / "a.html").write_text(page)
    assert read("a").text == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<div hidden>x<div>y</div>z</div>b", "ab"),
        ("<p>a<DIV HIDDEN=''>x</DIV>b", "a\n\nb"),
        ("a<p style='color:red; DISPLAY : None !important; display:block'>x</p>b", "ab"),
        ("a<b style='display&#58;/* */none'>x</b>b", "ab"),
        ("<div style='visibility:hidden'>x<b style='visibility: visible'>a</b>y</div>b", "a\n\nb"),
        ("a<template>x<template>y</template>z</template>b", "ab"),
        ("a<template>x", "a"),
        ("a<datalist><option>x</datalist><dialog>y</dialog>b", "ab"),
        ("<div hidden>x", ""),
        ("a<del>x</del>b<s>y<b>z</b></s>c<strike>x</strike>", "abc"),
        (
            "a<span style='text-decoration: line-through red'>x</span>b<i style='text-decoration:underline'>c</i>",
            "abc",
        ),
        # without an end of its own
        ("<p hidden>x<p>a", "a"),
        ("<section><div hidden>x</section>a", "a"),
        ("<ul><li hidden>x<ul><li>y</ul>z<li>a</ul>", "a"),
        ("<dl><dt hidden>x<dd>a</dl>", "a"),
        ("<table><tr hidden><td>x<tr><td>a<td style='display:none'>y<td>b</table>", "a | b"),
        ("<table><thead hidden><tr><td>x<tbody><tr><td>a</table>", "a"),
        ("<h2 hidden>x</h3>a", "a"),
        # ends that are none
        ("<div hidden><table><tr><td>x</div>y</table>z</div>a", "a"),
        ("<span hidden>x</b>y</span>a", "a"),
        ("<span hidden />x</span>a", "a"),
        ("<br hidden>a<input hidden>b", "ab"),
        ("<div>" * 3_000 + "a<p hidden>x</p>b", "ab"),
        ("<div hidden>" + "<b>" * 3_000 + "x", ""),
    ],
)
def test_what_a_page_hides_is_no_part_of_its_text(folder, page, text):
    (folder / "a.html").write_text(page)
    assert read("a").text == text


@pytest.mark.parametrize(
    "page",
    [
        "<div hidden style='display:block'>a</div>",
        "<div hidden='until-found'>a</div>",
        "<details>a</details>",
        "<dialog open>a</dialog>",
        "<div title=hidden data-hidden class='style' style='displaying:none;x:display:none'>a</div>",
        "<div style='display:none; display:block'>a</div>",
        "<body style='visibility:hidden'><p>a</body>",
        "<html hidden><p>a",
    ],
)
def test_what_a_reader_can_see_or_open_is_a_part_of_a_page(folder, page):
    (folder / "a.html").write_text(page)
    assert read("a").text == "a"


def test_a_picture_or_an_input_does_not_end_a_paragraph(folder):
    (folder / "a.html").write_text("<p>warfarin <img src=a.png> 5 mg <input> at night")
    assert read("a").text == "warfarin 5 mg at night"


def test_the_first_block_in_a_heading_is_the_heading(folder):
    (folder / "a.html").write_text("<h2><div>One</div></h2>a<h3>Two<p>b<h1>Three</h1>c")
    assert [(heading.level, heading.text) for heading in read("a").headings] == [(2, "One"), (3, "Two"), (1, "Three")]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# One #\n## Two ##  \n### C#\n", [(1, "One"), (2, "Two"), (3, "C#")]),
        ("#\n# #\n####### a\n#a\n    # b\n", []),
        ("a\n===\n===\nb\n -- \t\n- c\n---\n", [(1, "a"), (2, "b")]),
        ("```\n# a\n~~~\n# b\n````\n# c\n~~~~ d ` e\n# f", [(1, "c")]),
        ("``` a ` b\n# c\n```\n# d", [(1, "c")]),
    ],
)
def test_the_headings_of_markdown_are_those_of_commonmark(folder, text, headings):
    (folder / "a.md").write_text(text)
    assert [(heading.level, heading.text) for heading in read("a").headings] == headings

import struct
from io import BytesIO
from zipfile import ZIP_BZIP2

import docx
import pytest
from support.docx_files import STRICT, TRANSITIONAL, archive, cell, document, docx_file, notes, paragraph

from workers.errors import TooLargeError, UnreadableError
from workers.folder import SAMPLE_DOCUMENTS_DIR
from workers.formats import read_content

HEADING_2 = '<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'


def read(data: bytes):
    return read_content(data, ".docx")[1]


def text_of(body: str) -> str:
    return read(docx_file(body)).text


def headings_of(body: str, *styles: str) -> list[tuple[int, str]]:
    return [(heading.level, heading.text) for heading in read(docx_file(body, *styles)).headings]


def saved(made) -> bytes:
    data = BytesIO()
    made.save(data)
    return data.getvalue()


def as_python_docx_reads(data: bytes) -> str:
    """The text of a file without merged cells, as another library reads it."""
    blocks = []
    for item in docx.Document(BytesIO(data)).iter_inner_content():
        if isinstance(item, docx.table.Table):
            blocks += [" | ".join(cell.text.strip() for cell in row.cells) for row in item.rows]
        else:
            blocks.append(item.text.strip())
    return "\n\n".join(filter(None, blocks))


def test_the_sample_and_a_made_document_read_as_another_library_reads_them():
    made = docx.Document()
    made.add_heading("Title", 0)
    for number in range(3):
        made.add_heading(f"Part {number}", number + 1)
        made.add_paragraph("Plain ").add_run("bold\tand\nbroken").bold = True
    table = made.add_table(rows=2, cols=3)
    for place, each in enumerate(table._cells):
        each.text = f"cell {place}"
    made.add_paragraph("  end  ")
    for data in (saved(made), (SAMPLE_DOCUMENTS_DIR / "discharge-summary.docx").read_bytes()):
        assert read(data).text == as_python_docx_reads(data)
    assert [(heading.level, heading.text) for heading in read(saved(made)).headings] == [
        (1, "Title"),
        (1, "Part 0"),
        (2, "Part 1"),
        (3, "Part 2"),
    ]


def test_a_merged_cell_is_given_once():
    made = docx.Document()
    table = made.add_table(rows=2, cols=3)
    for place, each in enumerate(table._cells):
        each.text = f"{place}"
    table.cell(0, 0).merge(table.cell(1, 0)).text = "both rows"
    table.cell(0, 1).merge(table.cell(0, 2)).text = "both columns"
    assert read(saved(made)).text == "both rows | both columns\n\n | 4 | 5"


def test_a_style_is_a_headings_by_its_name_whatever_its_id():
    named = paragraph("Befund", '<w:pStyle w:val="berschrift2"/>')
    assert headings_of(named, HEADING_2) == [(2, "Befund")]
    assert headings_of(named, HEADING_2.replace("heading 2", "Heading 22")) == []


def test_a_style_that_is_based_on_a_headings_is_one_and_a_loop_of_styles_is_none():
    based = '<w:style w:styleId="{}"><w:name w:val="Own"/><w:basedOn w:val="{}"/></w:style>'
    body = paragraph("One", '<w:pStyle w:val="own"/>') + paragraph("Two", '<w:pStyle w:val="a"/>')
    styles = (HEADING_2, based.format("own", "berschrift2"), based.format("a", "b"), based.format("b", "a"))
    assert headings_of(body, *styles) == [(2, "One")]


def test_the_outline_level_makes_a_heading_of_a_style_and_of_a_paragraph():
    outlined = '<w:style w:styleId="x"><w:name w:val="X"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
    body = (
        paragraph("Three", '<w:pStyle w:val="x"/>')
        + paragraph("One", '<w:outlineLvl w:val="0"/>')
        + paragraph("None", '<w:pStyle w:val="x"/><w:outlineLvl w:val="9"/>')
    )
    assert headings_of(body, outlined) == [(3, "Three"), (1, "One")]


def test_without_styles_the_id_of_a_style_tells():
    assert headings_of(paragraph("One", '<w:pStyle w:val="Heading1"/>')) == [(1, "One")]


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ("<w:t>a</w:t><w:tab/><w:t>b</w:t>", "a\tb"),
        ("<w:t>a</w:t><w:br/><w:t>b</w:t><w:cr/><w:t>c</w:t>", "a\nb\nc"),
        ('<w:t>a</w:t><w:br w:type="page"/><w:t>b</w:t>', "ab"),
        ("<w:t>a</w:t><w:noBreakHyphen/><w:t>b</w:t>", "a-b"),
        ('<w:t>5 </w:t><w:sym w:font="Symbol" w:char="F06D"/><w:t>g</w:t>', "5 µg"),
        ('<w:t>5 </w:t><w:sym w:font="Wingdings" w:char="F06D"/><w:t>g</w:t>', "5 \ufffdg"),
        ('<w:sym w:font="Arial" w:char="00B5"/><w:sym w:font="Arial" w:char="x"/>', "µ\ufffd"),
        ("<w:instrText>PAGE</w:instrText><w:t>7</w:t>", "7"),
        (
            "<w:ruby><w:rt><w:r><w:t>over</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>a</w:t></w:r></w:rubyBase></w:ruby>",
            "a",
        ),
    ],
)
def test_what_is_in_a_run_becomes_text(run, text):
    assert text_of(f"<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r>{run}</w:r></w:p>") == text


def test_text_is_found_wherever_it_is_nested_and_what_was_deleted_is_not():
    run = "<w:r><w:t>{}</w:t></w:r>"
    body = (
        f"<w:p><w:hyperlink>{run.format('link ')}</w:hyperlink><w:ins>{run.format('new ')}</w:ins>"
        f"<w:del>{run.format('old ')}</w:del><w:moveFrom>{run.format('moved ')}</w:moveFrom>"
        f"<w:sdt><w:sdtContent>{run.format('field')}</w:sdtContent></w:sdt></w:p>"
        f"<w:sdt><w:sdtContent>{paragraph('in a control')}</w:sdtContent></w:sdt>"
    )
    assert text_of(body) == "link new field\n\nin a control"


VANISH = "<w:rPr><w:vanish/></w:rPr>"


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (f"<w:r>{VANISH}<w:t>x</w:t><w:tab/><w:sym w:font='Symbol' w:char='F06D'/></w:r>", "a b"),
        ('<w:r><w:rPr><w:b/><w:vanish w:val="1"/></w:rPr><w:t>x</w:t></w:r>', "a b"),
        ('<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>x</w:t></w:r>', "a xb"),
        ('<w:r><w:rPr><w:vanish w:val="false"/></w:rPr><w:t>x</w:t></w:r>', "a xb"),
        ("<w:r><w:rPr><w:webHidden/><w:specVanish/></w:rPr><w:t>x</w:t></w:r>", "a xb"),
        ("<w:r><w:rPr><w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange></w:rPr><w:t>x</w:t></w:r>", "a xb"),
        (f"<w:r>{VANISH}<w:txbxContent><w:p><w:r><w:t>x</w:t></w:r></w:p></w:txbxContent></w:r>", "a b"),
        ("<w:r><w:rPr><w:strike/></w:rPr><w:t>x</w:t></w:r>", "a b"),
        ('<w:r><w:rPr><w:dstrike/><w:strike w:val="0"/></w:rPr><w:t>x</w:t></w:r>', "a b"),
        ('<w:r><w:rPr><w:strike w:val="off"/></w:rPr><w:t>x</w:t></w:r>', "a xb"),
        (f"<w:r/>{VANISH}<w:del><w:r/></w:del>{VANISH}<w:r><w:t>x</w:t></w:r>", "a xb"),
    ],
)
def test_a_run_that_is_hidden_or_struck_through_is_left_out(run, text):
    assert text_of(f"<w:p><w:r><w:t>a </w:t></w:r>{run}<w:r><w:t>b</w:t></w:r></w:p>") == text


def test_the_hidden_end_of_a_paragraph_hides_no_text():
    assert text_of(paragraph("a", VANISH)) == "a"


@pytest.mark.parametrize(
    ("paragraph_style", "run_properties", "is_read"),
    [
        ("", '<w:rStyle w:val="Secret"/>', False),
        ("", '<w:rStyle w:val="Based"/>', False),
        ("", '<w:rStyle w:val="Shown"/>', True),
        ("", '<w:rStyle w:val="Former"/>', True),
        ("Hidden", "", False),
        ("Hidden", '<w:vanish w:val="0"/>', True),
        ("Hidden", '<w:rStyle w:val="Secret"/>', True),
    ],
)
def test_a_style_may_hide_text(paragraph_style, run_properties, is_read):
    style = '<w:style w:styleId="{}"><w:basedOn w:val="{}"/><w:rPr>{}</w:rPr></w:style>'
    body = (
        f'<w:p><w:pPr><w:pStyle w:val="{paragraph_style}"/></w:pPr>'
        f"<w:r><w:rPr>{run_properties}</w:rPr><w:t>x</w:t></w:r></w:p>"
    )
    styles = (
        style.format("Hidden", "", "<w:vanish/>"),
        style.format("Secret", "", "<w:vanish/>"),
        style.format("Based", "Secret", ""),
        style.format("Shown", "Secret", '<w:vanish w:val="off"/>'),
        style.format("Former", "", "<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>"),
    )
    assert read(docx_file(body, *styles)).text == ("x" if is_read else "")


def refer(kind: str, note_id: int) -> str:
    return f'<w:r><w:t>text</w:t><w:{kind}Reference w:id="{note_id}"/></w:r>'


@pytest.mark.parametrize("namespace", [STRICT, TRANSITIONAL])
def test_footnotes_and_endnotes_stand_behind_the_document(namespace):
    endnote = paragraph("First") + paragraph("second")
    parts = {
        "word/document.xml": document(
            f"<w:p>{refer('endnote', 1)}{refer('footnote', 2)}</w:p>{paragraph('end')}", namespace
        ),
        "word/footnotes.xml": notes("footnote", paragraph("not shown"), paragraph("Stop it."), namespace=namespace),
        "word/endnotes.xml": notes("endnote", endnote, namespace=namespace),
    }
    assert read(archive(parts)).text == "texttext\n\nend\n\nStop it.\n\nFirst\n\nsecond"


def test_a_note_is_read_where_the_document_says_that_it_is():
    relation = '<Relationships xmlns="r"><Relationship Type="http://x/footnotes" Target="notes.xml"/></Relationships>'
    parts = {
        "word/_rels/document.xml.rels": relation,
        "word/document.xml": document(f"<w:p>{refer('footnote', 1)}</w:p>"),
        "word/footnotes.xml": notes("footnote", paragraph("not this")),
        "word/notes.xml": notes("footnote", paragraph("this")),
    }
    assert read(archive(parts)).text == "text\n\nthis"


def test_a_note_whose_reference_is_hidden_or_deleted_is_left_out():
    hidden = refer("footnote", 1).replace("<w:r>", f"<w:r>{VANISH}")
    body = document(f"<w:p>{hidden}<w:del>{refer('footnote', 2)}</w:del></w:p>")
    footnotes = notes("footnote", paragraph("one"), paragraph("two"))
    assert read(archive({"word/document.xml": body, "word/footnotes.xml": footnotes})).text == ""


def test_notes_count_towards_what_is_unpacked_and_kept(monkeypatch):
    parts = {
        "word/document.xml": document(f"<w:p>{refer('footnote', 1)}</w:p>"),
        "word/footnotes.xml": notes("footnote", paragraph("a" * 995)),
    }
    monkeypatch.setenv("DOCUMENT_MAX_CHARACTERS", "1000")
    with pytest.raises(TooLargeError, match="DOCUMENT_MAX_CHARACTERS"):
        read(archive(parts))
    monkeypatch.delenv("DOCUMENT_MAX_CHARACTERS")
    monkeypatch.setenv("DOCUMENT_MAX_UNPACKED_BYTES", "1000")
    with pytest.raises(TooLargeError, match="DOCUMENT_MAX_UNPACKED_BYTES"):
        read(archive(parts))


def test_more_notes_than_anyone_writes_are_refused():
    references = "".join(f'<w:endnoteReference w:id="{number}"/>' for number in range(100_001))
    with pytest.raises(TooLargeError, match="100,000 endnotes"):
        text_of(f"<w:p><w:r>{references}</w:r></w:p>")


def test_a_part_of_notes_that_is_none_is_refused():
    parts = {"word/document.xml": document(f"<w:p>{refer('footnote', 1)}</w:p>"), "word/footnotes.xml": "<a/>"}
    with pytest.raises(UnreadableError):
        read(archive(parts))


def test_of_a_formula_it_is_said_that_something_is_there():
    half = "<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    formula = f'<m:oMathPara xmlns:m="{math}"><m:oMath>{half}</m:oMath></m:oMathPara>'
    assert text_of(f"<w:p><w:r><w:t>take </w:t></w:r>{formula}<w:r><w:t> tablet</w:t></w:r></w:p>") == (
        "take \ufffd tablet"
    )


def test_a_text_box_is_read_once():
    box = f"<w:txbxContent>{paragraph('in the box')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    assert text_of(f"<w:p><w:r><w:t>before</w:t>{both}<w:t> and after</w:t></w:r></w:p>") == (
        "in the box\n\nbefore and after"
    )


def test_a_table_in_a_cell_is_a_part_of_the_cell():
    inner = f"<w:tbl><w:tr>{cell(paragraph('a'))}{cell(paragraph('b'))}</w:tr></w:tbl>"
    row = cell(paragraph("first") + inner) + cell(paragraph("second"))
    assert text_of(f"<w:tbl><w:tr>{row}</w:tr><w:tr>{cell('<w:p/>')}</w:tr></w:tbl>") == "first\na | b | second"


def test_a_file_of_the_strict_kind_is_read():
    assert read(docx_file(paragraph("strict"), namespace=STRICT)).text == "strict"


def test_the_main_part_is_the_one_that_the_package_names():
    relation = '<Relationships xmlns="r"><Relationship Type="http://x/officeDocument" Target="{}"/></Relationships>'
    for target in ("word/document2.xml", "/word/document2.xml"):
        parts = {
            "_rels/.rels": relation.format(target),
            "word/document.xml": document(paragraph("not this")),
            "word/document2.xml": document(paragraph("this")),
        }
        assert read(archive(parts)).text == "this"


@pytest.mark.parametrize(
    "data",
    [
        archive({}),
        archive({"word/document.xml": "<a/>"}),
        archive({"word/document.xml": document("<w:p>")}),
        archive({"word/document.xml": document(paragraph("packed"))}, ZIP_BZIP2),
        archive({"word/document.xml": '<!DOCTYPE d [<!ENTITY a "b">]>' + document(paragraph("&a;"))}),
        b"\xd0\xcf\x11\xe0 encrypted",
    ],
)
def test_what_is_no_docx_file_is_refused(data):
    with pytest.raises(UnreadableError):
        read(data)


def test_a_span_of_two_thousand_million_columns_is_one_cell():
    row = cell(paragraph("wide"), '<w:gridSpan w:val="2000000000"/>')
    assert text_of(f"<w:tbl><w:tr>{row}{row}</w:tr></w:tbl>") == "wide | wide"


def test_what_a_file_unpacks_to_is_counted_as_it_comes(monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_UNPACKED_BYTES", "1000000")
    with pytest.raises(TooLargeError, match=r"1,000,000 bytes.*DOCUMENT_MAX_UNPACKED_BYTES"):
        read(docx_file("<w:p/>" * 200_000))
    assert read(docx_file("<w:p/>" * 100_000)).text == ""


def test_forged_sizes_in_the_directory_of_the_archive_change_nothing(monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_UNPACKED_BYTES", "1000000")
    data = bytearray(docx_file("<w:p/>" * 200_000))
    entry = data.rindex(b"PK\x01\x02")
    for forged in (10, 2**31 - 1):
        data[entry + 24 : entry + 28] = struct.pack("<I", forged)
        with pytest.raises((UnreadableError, TooLargeError)):
            read(bytes(data))


def test_the_text_that_is_kept_has_a_limit(monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_CHARACTERS", "1000")
    for body in (
        paragraph("a" * 10) * 101,
        paragraph("a" * 1001),
        f"<w:tbl><w:tr>{cell('') * 400}</w:tr></w:tbl>",
        f"<w:p>{'<w:r><w:tab/></w:r>' * 1001}",
    ):
        with pytest.raises(TooLargeError, match=r"DOCUMENT_MAX_CHARACTERS allows: 1,000"):
            text_of(body)
    assert text_of(paragraph("a" * 1000)) == "a" * 1000


def test_a_file_of_many_parts_is_refused():
    with pytest.raises(TooLargeError, match="parts"):
        read(archive({f"{number}": b"" for number in range(20_001)}))

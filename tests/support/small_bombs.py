"""Small files that ask for much: made by the tests, each of a few megabytes at most."""

import zlib

from support.docx_files import cell, docx_file, paragraph


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

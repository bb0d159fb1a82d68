"""DOCX files written by hand: any XML in their body, any archive around it."""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

TRANSITIONAL = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def document(body: str, namespace: str = TRANSITIONAL) -> str:
    """word/document.xml with this body."""
    return f'<w:document xmlns:w="{namespace}" xmlns:mc="{_COMPATIBILITY}"><w:body>{body}</w:body></w:document>'


def notes(kind: str, *entries: str, namespace: str = TRANSITIONAL) -> str:
    """word/footnotes.xml or word/endnotes.xml with these notes, numbered from 1."""
    numbered = "".join(
        f'<w:{kind} w:id="{number}">{entry}</w:{kind}>' for number, entry in enumerate(entries, start=1)
    )
    separator = f'<w:{kind} w:id="0" w:type="separator">{paragraph("none")}</w:{kind}>'
    return f'<w:{kind}s xmlns:w="{namespace}">{separator}{numbered}</w:{kind}s>'


def styles(*entries: str) -> str:
    """word/styles.xml with these entries."""
    return f'<w:styles xmlns:w="{TRANSITIONAL}">{"".join(entries)}</w:styles>'


def archive(parts: dict[str, str | bytes], compression: int = ZIP_DEFLATED) -> bytes:
    """A ZIP archive of the parts."""
    data = BytesIO()
    with ZipFile(data, "w", compression) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return data.getvalue()


def docx_file(body: str, *style_entries: str, namespace: str = TRANSITIONAL) -> bytes:
    """A DOCX file with this body."""
    parts: dict[str, str | bytes] = {"word/document.xml": document(body, namespace)}
    if style_entries:
        parts["word/styles.xml"] = styles(*style_entries)
    return archive(parts)


def paragraph(text: str, properties: str = "") -> str:
    """A paragraph of one run."""
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def cell(content: str, properties: str = "") -> str:
    """A cell of a table."""
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"

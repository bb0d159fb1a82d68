"""How the work of a task reads its document, and tells what of it has no text."""

from collections.abc import Mapping

from workers.documents import Document, DocumentInput
from workers.folder import NOTHING_FETCHED
from workers.progress import Job

_NAMED = 10
"""So many pages a warning names."""


def read_document(job: Job, request: DocumentInput, fetched: Mapping[str, str] = NOTHING_FETCHED) -> Document:
    """Read a document as the running job; a page without a text is a warning, for it may be a picture of one.

    Raises:
        InputError: As DocumentInput.read.
    """
    document = request.read(job.track, fetched)
    job.log(f"read {document}")
    blank = [number for number, page in enumerate(document.pages, start=1) if not page.strip()]
    if len(blank) == len(document.pages):
        job.log("the document has no text; pictures of text are not read", "warning")
    elif blank:
        named = ", ".join(map(str, blank[:_NAMED])) + (", …" if len(blank) > _NAMED else "")
        job.log(f"pages without a text: {named} ({len(blank)} in all); pictures of text are not read", "warning")
    return document

"""The documents that jobs work on, and how a payload names one."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workers.content import Heading
from workers.encoding import Text
from workers.folder import MAX_NAME, NOTHING_FETCHED, documents_dir, fetched_or_found, read_file
from workers.formats import MEDIA_TYPES, PLAIN, read_content
from workers.limits import check_characters, check_size
from workers.progress import Track, untracked

_ONE_OF_BOTH: dict[str, Any] = {
    "oneOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("text", "document_id")]
}


class Document(BaseModel):
    """A document that was read; all offsets into it are [start, end) character indices of `text`."""

    model_config = ConfigDict(frozen=True)

    id: str | None = Field(description="The id it was asked for by; null for inline text.")
    media_type: str = Field(description="For example application/pdf.")
    text: Text = Field(description="The whole text: the pages, joined by an empty line.")
    pages: tuple[Text, ...] = Field(description="The text of each page; one entry for a format without pages.")
    headings: tuple[Heading, ...] = Field(default=(), description="The headings that the format marks as such.")

    def __str__(self) -> str:
        pages = "" if len(self.pages) == 1 else f" on {len(self.pages)} pages"
        return f"{self.id or 'the text itself'}: {self.media_type}, {len(self.text):,} characters{pages}"


class DocumentInput(BaseModel):
    """A payload that names its document: inline text, or the id of a document in DOCUMENTS_DIR."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_OF_BOTH)

    text: str | None = Field(default=None, description="The text itself. Give this or document_id.")
    document_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_NAME,
        description="Name of a document in the document folder or the bucket, with or without its suffix; or "
        "gs://bucket/name, where that bucket is allowed. Give this or text.",
        examples=["doc123"],
    )

    @model_validator(mode="after")
    def _names_one_input(self) -> Self:
        if (self.text is None) == (self.document_id is None):
            raise ValueError("give exactly one of text and document_id")
        return self

    @property
    def document_ids(self) -> list[str]:
        """The documents that it names."""
        return [] if self.document_id is None else [self.document_id]

    def read(self, track: Track = untracked, fetched: Mapping[str, str] = NOTHING_FETCHED) -> Document:
        """Read the document.

        Args:
            track: Told each page of a PDF; what it raises stops the reading.
            fetched: Where the documents from buckets are, by their ids.

        Raises:
            InputError: Its subclasses in workers.errors say whether the name is refused or unknown, the document is
                too large, or it cannot be read.
        """
        if self.document_id is None:
            text = self.text or ""
            check_size(len(text.encode("utf-8", errors="surrogatepass")))
            check_characters(len(text))
            # As it is, line ends included: the caller counts offsets in what it sent.
            return Document(id=None, media_type=PLAIN, text=text, pages=(text,))
        path = fetched_or_found(self.document_id, fetched, [documents_dir()], MEDIA_TYPES)
        media_type, content = read_content(read_file(path), PurePath(path.name).suffix, track)
        return Document(
            id=self.document_id,
            media_type=media_type,
            text=content.text,
            pages=content.pages,
            headings=content.headings,
        )

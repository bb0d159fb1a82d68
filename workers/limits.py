"""How much of a document a worker reads: settings, and the errors that name them."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from jobtracker.connection.google_cloud import need_bucket_name
from jobtracker.settings import EnvironmentSettings
from workers.errors import TooLargeError


def _separated(names: Any) -> Any:
    if not isinstance(names, str):
        return names
    found = [name for each in names.split(",") if (name := each.strip())]
    for name in found:
        need_bucket_name(name)
    return found


class DocumentSettings(EnvironmentSettings):
    """Which documents are read, and how much of each."""

    document_max_bytes: int = Field(64 * 1024**2, ge=0, description="The largest input, in bytes.")
    document_max_unpacked_bytes: int = Field(
        128 * 1024**2, ge=0, description="How many bytes of a packed file are unpacked."
    )
    document_max_characters: int = Field(2**25, ge=0, description="The longest text that is taken out of a document.")
    document_buckets: Annotated[tuple[str, ...], BeforeValidator(_separated)] = Field(
        (), description="Buckets besides GCS_BUCKET_NAME that a document_id may name (gs://), separated by commas."
    )


def document_max_bytes() -> int:
    """Give the largest input that is read, in bytes: the setting DOCUMENT_MAX_BYTES, by default 64 MiB."""
    return DocumentSettings.from_env().document_max_bytes


def document_max_unpacked_bytes() -> int:
    """Give how many bytes of a packed file are unpacked: DOCUMENT_MAX_UNPACKED_BYTES, by default 128 MiB."""
    return DocumentSettings.from_env().document_max_unpacked_bytes


def document_max_characters() -> int:
    """Give the longest text that is taken out of a document: DOCUMENT_MAX_CHARACTERS, by default 32 Mi (2**25)."""
    return DocumentSettings.from_env().document_max_characters


def check_size(size_bytes: int) -> None:
    """Raise TooLargeError when an input of that size is over the limit."""
    limit_bytes = document_max_bytes()
    if size_bytes > limit_bytes:
        raise TooLargeError(f"the input has {size_bytes:,} bytes, DOCUMENT_MAX_BYTES allows {limit_bytes:,}")


def check_characters(characters: int, limit: int | None = None) -> None:
    """Raise TooLargeError when a text is too long.

    Args:
        characters: How many it has so far.
        limit: document_max_characters(), from callers that look often.
    """
    limit = document_max_characters() if limit is None else limit
    if characters > limit:
        raise TooLargeError(f"the text has more characters than DOCUMENT_MAX_CHARACTERS allows: {limit:,}")

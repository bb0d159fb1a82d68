"""workers.checksum: the hash of a document's text."""

import hashlib
from collections.abc import Mapping
from typing import Any

from workers.documents import DocumentInput
from workers.folder import NOTHING_FETCHED
from workers.payloads import read_payload
from workers.progress import Job


def run(
    job: Job, payload: dict[str, Any], algorithm: str, fetched: Mapping[str, str] = NOTHING_FETCHED
) -> dict[str, Any]:
    """Hash the text of a document.

    Args:
        job: Told how far it is.
        payload: The fields of DocumentInput.
        algorithm: Its name in hashlib.
        fetched: Where its document is, if that is from a bucket.
    """
    document = read_payload(DocumentInput, payload).read(job.track, fetched)
    digest = hashlib.new(algorithm, document.text.encode()).hexdigest()
    return {"kind": "checksum", "algorithm": algorithm, "digest": digest, "characters": len(document.text)}

"""workers.checksum: the hash of a document's text."""

import hashlib
from typing import Any

from workers.documents import DocumentInput
from workers.payloads import read_payload
from workers.progress import Job


def run(job: Job, payload: dict[str, Any], algorithm: str) -> dict[str, Any]:
    """Hash the text of a document.

    Args:
        job: Told how far it is.
        payload: The fields of DocumentInput.
        algorithm: Its name in hashlib.
    """
    document = read_payload(DocumentInput, payload).read(job.track)
    digest = hashlib.new(algorithm, document.text.encode()).hexdigest()
    return {"kind": "checksum", "algorithm": algorithm, "digest": digest, "characters": len(document.text)}

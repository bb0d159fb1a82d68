"""Whether a text is a clinical one, in which letters in capitals stand for findings and ways, not for bodies."""

import re
from typing import Final

from workers.drug_dictionary import Confidence, drug_dictionary

_WORD: Final = re.compile(
    r"\b(?:\d{1,6} ?(?:mg|mcg|mmol|micrograms?|units|ml|mL)|[BTQ]DS?|PRN|PMH|HPC|O/E|nocte|mane|patient|diagnosis"
    r"|ward|clinic|discharged?|admitted|symptoms|tablets?|allerg\w{1,5}|medications?|bloods|CXR|ECG|MRI|CT|GP|NHS"
    r"|hypertension|dose|treatment|surgery|referral|[Cc]onsultant|antibiotics?|chest|pain|cyst|lesions?|contrast"
    r"|carcinoma|BID|TID|QHS|daily|follow-up|nausea|fracture|nurse|midwife|caries|Echo|MD|GCS|NHS|SOB|BP|HR|Hb|LMP)\b"
)
_FEWEST: Final = 5
_SAMPLE_CHARS: Final = 60_000


def is_clinical(text: str) -> bool:
    """Whether the beginning of the text has enough different words of medicine; a medicine's name counts twice."""
    sample = text[:_SAMPLE_CHARS]
    found = {match.group().lstrip("0123456789 ").lower() for match in _WORD.finditer(sample)}
    named = drug_dictionary().find(sample)
    drugs = {name.drug.name for name in named if name.drug.confidence is Confidence.CERTAIN}
    return len(found) + 2 * len(drugs) >= _FEWEST and (len(found) > 1 or len(drugs) > 1)

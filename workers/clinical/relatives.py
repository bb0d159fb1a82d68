"""Whether a text speaks of a relative's drug: "her mother takes warfarin", "his wife's diazepam"."""

import re
from typing import Final

from workers.clinical.cue_words import KIN, SPOUSE
from workers.clinical.quantities import phrases

_REACH_CHARS: Final = 160
"""A relative is looked for in as many characters before the name of the drug."""
_RELATIVE: Final = phrases(
    rf"\b(?:(?P<with>by|with|from|to|for|via) (?:(?:his|her|their"
    rf"|the) )?)?{KIN}\b",
    re.NOFLAG,
)
_WHO: Final = re.compile(r",?\s{1,8}who\b")
_OTHERS: Final = phrases(
    r"\b(?:he|him|himself|she|herself|patient|pt|i|we|proband|child|baby|infant|boy|girl|aware|present|reports?"
    r"|reported|says?|said|states?|stated|told|tells|thinks?|concerned|worried|noticed|notes?|gave|gives?|giving"
    r"|brought|brings|call(?:s|ed)|rang|phoned|informed|confirms?|confirmed|helps?|administers?|manages?|supervises?"
    r"|prompts?|asks?|asked|puts?|gets?|orders?|prepares?|sorts?|wants?|bought|buys|collects?|found|attended"
    r"|accompanied|who gave|to (?:give|stop|discontinue|hold|start|continue|avoid|use|skip|withhold|restart|bring"
    r"|make|ensure)|mentioned"
    r"|describes?|described|recalls?|stopped giving|mr|mrs|ms|miss)\b|[;!?]",
    re.NOFLAG,
)
"""What between a relative and a drug says that the drug is not the relative's."""


_HERSELF: Final = re.compile(r"\s{1,4}(?:her|him)self\b|\s{1,4}themselves\b")
_ENDS_ASIDE: Final = re.compile(r"[^()]{0,80}\)")
_REPORTS: Final = phrases(rf"(?:{SPOUSE}|carers?)\s?:", re.NOFLAG)
"""Who tells about the patient: "Wife: ran out of bisoprolol". The family history is of blood relations."""


def find_relative(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where in text[start:end], in small letters, the relative is named whose drug is at `end`; None: nobody.

    "Given by his wife", "discussed with his wife" and "his wife says that he takes" speak of the patient's.
    """
    *_, kin = (None, *_RELATIVE.finditer(text, max(start, end - _REACH_CHARS), end))
    if kin is None or (kin["with"] and not _WHO.match(text, kin.end())):
        return None
    herself = _HERSELF.match(text, kin.end())
    said_from = herself.end() if herself else kin.end()
    if _OTHERS.search(text, said_from, end) or _ENDS_ASIDE.match(text, said_from, end):
        return None
    return None if _REPORTS.match(text, kin.start(), end) else kin.span()

"""What a text says about a drug that it names: that it is taken, was stopped, is not taken, or is not tolerated.

The idea is NegEx's: a cue ("denies", "was stopped") governs the names around it as far as its statement reaches, and
the nearest cue wins. A cue before the names carries over a list ("denies ibuprofen, aspirin or naproxen"); a cue
after them ("lisinopril and metoprolol were held") does too, where they are joined by "and".
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from workers.clinical.cues import Assertion, Cue, Reached, Status, stronger
from workers.clinical.cues_after import CUES_AFTER
from workers.clinical.cues_before import CUES_BEFORE
from workers.clinical.exchanges import is_of_amount, which_are_exchanged
from workers.clinical.gaps import REACH_CHARS, TURNS, blank, carries_to, is_beside, leads_to, reaches
from workers.clinical.quantities import phrases
from workers.clinical.relatives import find_relative
from workers.clinical.statements import Statement
from workers.clinical.timing import find_restart, find_stop, is_for_later, is_not_yet_restarted
from workers.spans import Place

_SWITCHED: Final = "switched"
_EXCHANGED: Final = "exchanged"
_SEEN_CHARS: Final = 24
"""As many characters of the name that follows a cue before it may be looked at: "cough with ramipril"."""


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for text in small letters: it is searched three times as fast as one that ignores case."""
    return phrases(pattern, re.NOFLAG)


def _compile_cues(cues: Sequence[tuple[str, str, int]], start: str) -> re.Pattern[str]:
    """Compile a table: the index of the group that matched tells the line, from 1.

    The groups are empty and end the lines: `re` passes over a line by its first letter if no group begins there.
    """
    return _compile(f"{start}(?:" + "|".join(f"(?:{pattern})()" for pattern, _, _ in cues) + r")(?!\w)")


_BEFORE: Final = _compile_cues(CUES_BEFORE, r"(?<![\w-])")
_AFTER: Final = _compile_cues(
    CUES_AFTER, r"(?>(?<![\w-])|(?<=\w-)(?=allerg|intol|induced|hyper)|(?=[:;,(\u2192\u21d2]|->|=>|~~))"
)
_JOINED: Final = re.compile(r"\band\b|&|\+|\bor\b")
_OF_SEVERAL: Final = re.compile(r"\b(?:were|are|have|both|all)\b")
_OF_ONE: Final = _compile(r"\b(?:which (?:was|is|has)|this|it)\b")
_TURNS_TO_NEXT: Final = _compile(
    r"(?:switch|chang|swap|convert|replac|substitut|rotat|stepp|escalat|narrow|supersed)\w{1,4}(?: \w{1,5}){0,2}"
    r" (?:to|by|with|for)$"
)
_MAY: Final = re.compile(r"\b(?:may|might|could)\s{1,4}$")
"""What makes a stop a possibility: "may be stopped", as a question mark does."""
_VERB: Final = re.compile(r"(?:was|were|is|are|has|have|had)\b")
_LEADS_ON: Final = re.compile(r"\b(?:to|with|from|after)$")
_BE: Final = re.compile(r"\b(?:was|were|is|are|been|be|being|got|which|it|them)\b")
_GIVES_REASON: Final = _compile(r" (?:when|as|since|because|due|owing|once)\b")
_STARTS_ANEW: Final = re.compile(r"[,;(\n]|\d\)|\band\b|\bbut\b")
_ASIDE_IN_COMMAS: Final = re.compile(r",[^,.;:\n]{1,80},\s{0,4}$")
_ENDS_ASIDE: Final = re.compile(r"[^()]{0,80}\)")
_NEW_CLAUSE: Final = re.compile(r"\s[-\u2013\u2014]\s{1,4}[a-z]{2,20}\s{1,4}[a-z]")
"""Words after a dash, which no list goes on with: "can't get X - chemist suggested Y"."""
_QUERY: Final = re.compile(r"(?:^|[\s(])\?$")
"""What makes the name that follows it uncertain: "?citalopram"."""
_TOO: Final = re.compile(r"\s{1,4}(?:too|as well|also)\b(?!\s\w)")
_AS_WAS: Final = re.compile(r"\bas (?:was|were|is|are|did|has) (?:the |her |his )?$")
"""What takes up what was said of the drug before: "X was stopped, and Y too", "as was Y"."""
_ASIDE: Final = re.compile(r"[(\u2013|-]")


def assert_names(
    text: str, statement: Statement, names: Sequence[Place], directions: Sequence[Place]
) -> list[Assertion | None]:
    """What the statement says of each of its names, None where it says nothing.

    Args:
        text: The whole document in small letters.
        statement: The statement in it that the names stand in.
        names: Those of drugs, in their order.
        directions: Doses, frequencies and so on: a cue reaches across them.
    """
    if not names:
        return []
    after = _reached_from_after(text, statement, names, directions)
    # What says something of the name before it ("lisinopril was stopped and …") says nothing of the next one.
    spoken_for = [reached.cue for reached in after if reached and not reached.names_passed]
    ends = [cue.end for cue in spoken_for]
    cues = [
        cue
        for cue in _cues_before(text, statement, names[-1].start, directions)
        if not _overlaps_any(cue, spoken_for, ends)
        or (cue.assertion.status is Status.ACTIVE and _TURNS_TO_NEXT.search(text, cue.start, cue.end))
        or (cue.assertion.status is Status.ALLERGY and _LEADS_ON.search(text, cue.start, cue.end))
    ]
    before = _reached_from_before(text, statement, names, directions, cues)
    said = [stronger(text, *pair) for pair in zip(before, after, strict=True)]
    for index, name in enumerate(names[1:], 1):
        if said[index] is None and (
            _TOO.match(text, name.end, statement.end) or _AS_WAS.search(text, names[index - 1].end, name.start)
        ):
            said[index] = said[index - 1]
    relatives = (find_relative(text, statement.start, name.start) for name in names)
    return [
        Assertion(Status.FAMILY, *relative, is_formal=True) if relative else assertion
        for relative, assertion in zip(relatives, said, strict=True)
    ]


def _reached_from_before(
    text: str, statement: Statement, names: Sequence[Place], directions: Sequence[Place], cues: Sequence[Cue]
) -> list[Reached | None]:
    """For each name the cue before it that reaches it: after the last name, or carried over a list from there."""
    reached: list[Reached | None] = []
    gap_start = statement.start
    first = 0
    exchanged = which_are_exchanged(text, names, directions) if any(cue.is_exchange for cue in cues) else ()
    for index, name in enumerate(names):
        while first < len(cues) and cues[first].start < gap_start:
            first += 1
        last = first
        while last < len(cues) and cues[last].end <= name.start:
            last += 1
        own = [
            cue
            for cue in cues[first:last]
            if not (cue.is_exchange and not exchanged[index]) and not _ENDS_ASIDE.match(text, cue.end, name.start)
        ]
        first = last
        carried = reached[-1] if reached else None
        if carried and carried.cue.is_exchange and not exchanged[index]:
            carried = None
        if carried and is_beside(text, carried.cue, gap_start, name.start, directions):
            carried = None
        reaching = (cue for cue in reversed(own) if leads_to(text, cue, name, directions))
        nearest = next(reaching, None)
        if nearest is not None and nearest.is_neutral:
            nearest = next(reaching, nearest)
        found = Reached(nearest, 0) if nearest else None
        if _QUERY.search(text, max(statement.start, name.start - 2), name.start):
            found = Reached(
                Cue(Assertion(Status.NEGATED, name.start - 1, name.start), name.start - 1, name.start, 0), 0
            )
        if (
            found is None
            and carried
            and not own
            and not _NEW_CLAUSE.search(text, gap_start, name.start)
            and carries_to(text, carried.cue, gap_start, name, directions)
        ):
            found = Reached(carried.cue, carried.names_passed + 1)
        reached.append(found)
        gap_start = name.end
    return reached


def _reached_from_after(
    text: str, statement: Statement, names: Sequence[Place], directions: Sequence[Place]
) -> list[Reached | None]:
    """For each name the cue after it that reaches it: before the next name, or carried back over a list."""
    reached: list[Reached | None] = []
    gap_end = following_end = statement.end
    is_joined = False
    is_row = text.count("|", statement.start, statement.end) > 1
    for name in reversed(names):
        found = None
        # A cue must see what follows it: where the next name does, the statement doesn't end.
        for match in _AFTER.finditer(text, name.end, min(statement.end, gap_end + 4, name.end + REACH_CHARS)):
            if match.end() > gap_end:
                break
            cue = _cue(CUES_AFTER, match)
            if (
                is_of_amount(text, name, cue, gap_end, statement.end, directions)
                or _belongs_to_next(text, name, cue, gap_end, statement, directions)
                or (
                    cue.assertion.status is Status.STOPPED
                    and is_for_later(text, max(statement.start, name.start - 12), cue.start, cue.end, gap_end)
                )
            ):
                continue
            # In a row of a table the cell counts that the cue stands in; "… Now stopped." says it of the drug before.
            cell = max(text.rfind("|", name.end, cue.start) if is_row else -1, text.rfind(". ", name.end, cue.start))
            is_unsure = cue.assertion.status is Status.STOPPED and (
                text.startswith("?", cue.end)
                or _MAY.search(text, max(name.end, cue.start - 10), cue.start) is not None
            )
            begins = max(name.end, cell + 1)
            aside = _ASIDE_IN_COMMAS.match(text, begins, cue.start) if _VERB.match(text, cue.start) else None
            if not is_unsure and reaches(text, cue, aside.end() if aside else begins, cue.start, directions):
                found = Reached(_unless_changed_later(text, cue, gap_end), 0)
                if not cue.is_neutral:
                    break
        if found is None and gap_end < statement.end and TURNS.fullmatch(blank(text, name.end, gap_end, directions)):
            # "ramipril 5 mg -> losartan 50 mg"
            found = Reached(Cue(Assertion(Status.STOPPED, name.end, gap_end), name.end, name.end, 0), 0)
        carried = reached[-1] if reached else None
        if (
            found is None
            and carried
            and text[name.end : gap_end].strip() == "("
            and text.startswith(")", following_end)
        ):
            found = carried  # "hyoscine (Kwells) stopped"
        elif found is None and carried and gap_end < statement.end:
            is_joined = is_joined or _JOINED.search(text, name.end, gap_end) is not None
            is_joined = is_joined and not _OF_ONE.search(text, max(name.end, carried.cue.start - 8), carried.cue.end)
            if (
                (is_joined or _OF_SEVERAL.search(text, carried.cue.start, carried.cue.end))
                and not (_ASIDE.search(text, max(name.end, carried.cue.start - 3), carried.cue.start + 1))
                and reaches(text, carried.cue, name.end, gap_end, directions)
            ):
                found = Reached(carried.cue, carried.names_passed + 1)
        else:
            is_joined = False
        reached.append(found)
        gap_end, following_end = name.start, name.end
    return reached[::-1]


def _unless_changed_later(text: str, cue: Cue, end: int) -> Cue:
    """The cue, or what became of it: "was held but has been restarted", "was started but had to be stopped"."""
    if cue.assertion.status is Status.STOPPED:
        status, find = Status.ACTIVE, find_restart
    elif cue.assertion.status is Status.ACTIVE:
        status, find = Status.STOPPED, find_stop
    else:
        return cue
    match = find(text, cue.end, min(end, cue.end + REACH_CHARS))
    return Cue(Assertion(status, *match.span()), *match.span(), 0) if match else cue


def _belongs_to_next(
    text: str, name: Place, cue: Cue, gap_end: int, statement: Statement, directions: Sequence[Place]
) -> bool:
    """Whether a cue between two names speaks of the second: "takes aspirin, stopped ramipril"."""
    return (
        gap_end < statement.end
        and not _BE.search(text, cue.start, cue.end)
        and not _TURNS_TO_NEXT.search(text, cue.start, cue.end)
        and not _GIVES_REASON.match(text, cue.end, gap_end)
        and _STARTS_ANEW.search(text, name.end, cue.start) is not None
        and not text[cue.end : gap_end].lstrip().startswith((",", ";", ")", ".", "|", "("))
        and reaches(text, cue, cue.end, gap_end, directions)
    )


def _cues_before(text: str, statement: Statement, end: int, directions: Sequence[Place]) -> Iterator[Cue]:
    """The cues of the statement before `end` that can stand before what they speak of."""
    switches = False
    starts = {direction.start for direction in directions}
    # A cue may see the name that follows it, but isn't made of it.
    for seen in _BEFORE.finditer(text, statement.start, min(statement.end, end + _SEEN_CHARS)):
        match = seen if seen.end() <= end else _BEFORE.match(text, seen.start(), end)
        if match is None:
            break
        if match.start() in starts:  # "40 mg ON, aspirin"
            continue
        if CUES_BEFORE[(match.lastindex or 1) - 1][1] == _SWITCHED:
            # "switched from lisinopril to losartan", "replaced lisinopril with losartan"
            if not switches:
                continue
            cue = Cue(
                Assertion(Status.ACTIVE, match.start(), match.end(), is_before=True), match.start(), match.end(), 0
            )
        else:
            cue = _cue(CUES_BEFORE, match, is_before=True)
        written = match.group()
        switches = written.endswith("from") or written.startswith(
            ("replac", "switch", "swap", "chang", "convert", "narrow", "esc", "de", "exchang", "substitut")
        )
        status = cue.assertion.status
        if status is Status.ACTIVE and is_not_yet_restarted(text, cue.start, cue.end, statement.end):
            yield replace(cue, assertion=replace(cue.assertion, status=Status.STOPPED))
        elif status is not Status.STOPPED or not is_for_later(
            text, statement.start, cue.start, cue.end, statement.end
        ):
            yield cue


def _overlaps_any(cue: Cue, others: Sequence[Cue], ends: Sequence[int]) -> bool:
    """Whether the cue overlaps one of the others, which stand in their order and end at `ends`."""
    index = bisect_left(ends, cue.start + 1)
    return index < len(others) and others[index].start < cue.end


def _cue(cues: Sequence[tuple[str, str, int]], match: re.Match[str], *, is_before: bool = False) -> Cue:
    _, said, free_words = cues[(match.lastindex or 1) - 1]
    assertion = Assertion(
        Status.STOPPED if said == _EXCHANGED else Status(said.rstrip("!~")),
        match.start(),
        match.end(),
        is_formal="!" in said,
        is_before=is_before,
        is_weak=is_before or not match.group()[0].isalpha(),
    )
    return Cue(
        assertion,
        match.start(),
        match.end(),
        free_words,
        is_neutral=said.endswith("~"),
        is_exchange=said == _EXCHANGED,
    )

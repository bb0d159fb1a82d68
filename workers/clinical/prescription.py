"""The directions of a prescription: dose, quantity, route, frequency, as needed, duration."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import Field

from workers.clinical.doses import LOOK_BACK, Dose, find_doses, find_limits
from workers.clinical.frequencies import FREQUENCY, Frequency, is_weak, is_word, parse_frequency
from workers.clinical.quantities import COUNT_RANGE, low_and_high, phrases
from workers.spans import Place, Span, matched


class Quantity(Span):
    """A number of pieces, such as 1-2 tablets."""

    value: float = Field(description="How many; the lower end of a range.")
    value_max: float | None = Field(default=None, description="The upper end of a range.")
    form: str = Field(description="The piece in the singular: tablet, capsule, puff, …")


class Route(Span):
    """The way a medicine is given."""

    route: str = Field(description="Its plain name: oral, intravenous, subcutaneous, …")


class AsNeeded(Span):
    """That it is taken when needed only (PRN)."""

    reason: str | None = Field(default=None, description="For what, if that is said.")


class Duration(Span):
    """How long it is taken."""

    value: float = Field(description="How many; the lower end of a range.")
    value_max: float | None = Field(default=None, description="The upper end of a range.")
    unit: str = Field(description="day, week, month, year or dose.")
    days: float | None = Field(default=None, description="The value in days (a month is 30, a year 365).")


Direction = Dose | Quantity | Route | Frequency | AsNeeded | Duration

_FORMS: Final = (
    "tablet|tabs?|tbs?|capsule|caps?|pill|puff|drop|gtt|spray|patch|lozenge|suppositor(?:y|ies)|pessar(?:y|ies)"
    "|packet|sachet"
    "|ampoule|amp|vial|inhalation|application|injection|actuation|nebule|nebs?|pump|scoop|spoonful|squirt|pastille"
    "|enema"
)
_SHORT_FORMS: Final = {
    "tab": "tablet", "tb": "tablet", "cap": "capsule", "gtt": "drop", "amp": "ampoule", "neb": "nebule",
}  # fmt: skip
_QUANTITY = re.compile(
    rf"(?<![\w.,/-])(?P<count>{COUNT_RANGE})(?:\s?x\s?|[\s-]|(?<=\d)(?=[a-z]))(?P<form>{_FORMS})(?:e?s)?(?![\w-])"
)
_ROUTES: Final = (
    (
        "oral",
        (
            r"by mouth|(?:in(?:to)?|to) the mouth|orally|(?:per )?oral(?! (?:cavity|intake|thrush|hygiene"
            r"|surgery|candid|ulcer|contracept"
            r"|fluids?|feed|diet|antibiotics?"
            r"|steroids?|hypogly|anticoag|medic|mucos|cancer|exam|agents?|therap|rehydration|temp|health|lesion"
            r"|chemo))"
            r"|per os|p\.o\.?|p/o|po"
        ),
    ),
    (
        "intravenous",
        (
            r"intravenous(?:ly|(?! (?:access|fluids?|antibiotics?|therapy|hydration|contrast|line|drug)))|i\.v\.?"
            r"|i/v|ivpb|ivp|ivi|iv(?! (?:access|lines?|cannula|fluids?|antibiotics?|abx|saline|hydration|site"
            r"|drug use|contrast|therapy))|into (?:a|the) vein"
        ),
    ),
    ("intramuscular", r"intramuscular(?:ly)?|i\.m\.?|i/m|im|into (?:a|the) muscle"),
    (
        "subcutaneous",
        (
            r"subcutaneous(?:ly)?|sub[\s-]?cut\.?|s/cut|(?:via (?:a |the )?)?syringe (?:driver|pump)|csci"
            r"|(?:under|beneath) the skin|subcu|t34|sub-?cutaneously|sub-?q"
            r"|s\.c\.?|s/c|sc|sq"
        ),
    ),
    ("sublingual", r"sublingual(?:ly)?|under (?:(?:the|his|her) )?tongue|s\.l\.?|s/l|sl|subling"),
    (
        "rectal",
        (
            r"rectal(?:ly)?|p\.r\.(?!n)|p/r|per rectum|suppositor(?:y|ies)|supps?|enemas?|into the (?:rectum"
            r"|back passage)|pr(?! (?:interval|bleed|exam|loss|blood|mucus|segment))"
        ),
    ),
    (
        "vaginal",
        (
            r"vaginal(?:ly)?|p\.v\.?|p/v|per vagina|into the vagina|vag|pessar(?:y|ies)|pv(?! (?:bleed|loss"
            r"|discharge|exam|spotting))"
        ),
    ),
    (
        "topical",
        (
            r"topical(?:ly)?|to (?:the )?(?:skin|affected areas?)|top|cream|foam|scalp application|to (?:the |his "
            r"|her )?(?:affected (?:skin|parts)|legs?|arms?|face|scalp|hands?|feet|knees?|rash|wound)|ointment"
            r"|lotion"
            r"|gel|shampoo|emollient|oint|ung|l/a|(?:for )?local(?:ly)? app(?:lication|ly)|applied locally"
            r"|apply (?:thinly|sparingly"
            r"|locally)|(?:to|on) (?:the )?affected (?:area|site|skin)s?|(?:to|on) (?:the )?skin"
        ),
    ),
    (
        "inhaled",
        (
            r"(?:via|with|through)(?: (?:a|the|his|her))? (?:\w+ )?(?:spacer|aerochamber|volumatic|nebuli[sz]er|neb"
            r"|inhaler)|inhaled|inhalers?(?! technique)|by inhalation|inhalation powder|nebuli[sz]ed|nebuli[sz]er"
            r"|nebules?|nebs?|inh"
            r"|mdi|dpi"
            r"|accuhaler|turb[ou]haler|respimat|evohaler|easi-?breathe|handihaler|ellipta|spacer|rotahaler"
            r"|rotacaps?|diskus|nexthaler|genuair|clickhaler|autohaler|forspiro|hfa|respules?"
            r"|(?:to|be) inhaled?|by nebuli[sz]er|nebuli[sz](?:e|ation)"
        ),
    ),
    (
        "nasal",
        (
            r"intranasal(?:ly)?|nasal(?:ly)?(?: spray| drops)?(?! (?:polyp|congestion|obstruction|cannula"
            r"|discharge|bone|specs))|(?:in|into|to|up) (?:each|both|the) (?:nostrils?|nar(?:es|e|is))"
            r"|(?:each|both|either|alternate|left|right) (?:nostrils?|nar(?:es|e|is))|per nostril"
            r"|nose drops?|(?:in|into|up) (?:the|his|her) nose"
        ),
    ),
    (
        "ophthalmic",
        (
            r"ophthalmic|(?:in|into|to)(?: (?:each|both|the|his|her|left|right|l|r|affected|bad|sore|operated"
            r"|treated)){0,2} eyes?"
            r"|eye[\s-]?drops?|eye ointment"
            r"|(?:both|each|left|right|l|r|b) eyes?|gutt(?:ae?)?|gutae?"
            r"|eye (?:gel|oint)|conjunctival(?:ly)?|(?:(?<=gtt\s)"
            r"|(?<=gtts\s)|(?<=drop\s)|(?<=drops\s))(?:o[su]|od(?=\s(?:[bt]id|qid|qhs|qpm|q\d)))|ou|os"
        ),
    ),
    (
        "otic",
        (
            r"otic|(?:in|into|to) (?:each|both|the(?: left| right| affected)?|his|her|left|right|l|r) ears?"
            r"|aural(?:ly)?|ear[\s-]?(?:drops?|spray)|(?:both|each|left|right|l|r|b) ears?"
        ),
    ),
    ("transdermal", r"transdermal(?:ly)?(?: patch)?|td|patch(?:es)?(?! test)"),
    ("buccal", r"buccal(?:ly)?"),
    (
        "enteral tube",
        (
            r"(?:via |per |by |down )?(?:the )?(?:ngt?|ogt|peg|pej|rig|njt?|[gj][\s-]tube|n\.g\.|feeding|nasogastric"
            r"|gastrostomy)(?:[\s-]tube)?|enterally"
        ),
    ),
    ("intrathecal", r"intrathecal(?:ly)?"),
    ("epidural", r"epidural(?:ly)?"),
    ("intraosseous", r"intraosseous(?:ly)?"),
    ("intravitreal", r"intravitreal(?:ly)?"),
    ("intra-articular", r"intra-?articular(?:ly)?"),
    ("intravesical", r"intravesical(?:ly)?|into the bladder"),
    ("intraperitoneal", r"intraperitoneal(?:ly)?"),
    ("intradermal", r"intradermal(?:ly)?"),
)
_ROUTE = phrases(
    r"(?<![\w'\u2019./-])(?:"
    + "|".join(f"(?:{pattern})(?P<r{i}>)" for i, (_, pattern) in enumerate(_ROUTES))
    + r")(?![\w-])",
    re.NOFLAG,
)
_WEAK_ROUTES: Final = frozenset({"top", "td", "os", "ou", "vag"})
"""Taken for a route only directly after a name or another direction."""
_CAPITAL_ROUTES: Final = {
    "IN": "nasal", "IO": "intraosseous", "ID": "intradermal", "IT": "intrathecal", "BE": "ophthalmic",
    "RE": "ophthalmic", "LE": "ophthalmic", "AU": "otic", "AD": "otic", "AS": "otic",
}  # fmt: skip
_CAPITALS: Final = re.compile(
    r"(?<![\w/.-])(?:"
    + "|".join(_CAPITAL_ROUTES)
    + r")(?=\s{0,40}(?:$|[\n|,.;:)]|(?:[BbTtQq][DdIi][DdSs]?|[Oo][DdMmNn]|[Qq]\d|stat|STAT|PRN|prn|x\s?\d|\d"
    r"|once|twice|daily|nocte|mane)\b))"
)
"""Words in small letters, but routes in capitals, where they end what is said of a dose: "10 mg IN stat"."""
_BODY_PART: Final = re.compile(r"\b(?:eyes?|ears?|legs?|arms?|face|scalp|hands?|feet|knees?|rash|wound|parts|nose)$")
_IS_APPLIED: Final = re.compile(
    r"(?:\b(?:drops?|gtts?|gutt\w{0,2}|oint\w{0,4}|solution|cream|gel|lotion|foam|spray|appl\w{1,5}|instil\w{0,4}|use[ds]?"
    r"|put|given)"
    r"|%)\s\S{0,12}\s{0,2}$"
)
"""What before a part of the body says that something is put there: "drops to the right eye", not "pain in"."""
_NO_ROUTE_BEFORE = re.compile(
    r"\b(?:stage|class|grade|nyha|type|factor|phase|fiO2|mobitz|killip|dr|mr|mrs|ms|prof|nurse)\s$", re.IGNORECASE
)
_SYMPTOM = (
    "(?:chest )?(?:pain|fever|nausea|vomiting|itching|anxiety|insomnia|sleep|headache|cough|constipation|wheezing"
    "|shortness|agitation|diarrh|breathless|sob|spasm|itch|wheeze|dyspn|seizure|heartburn|angina)"
)
_AS_NEEDED = phrases(
    r"(?<![\w.])(?:(?-i:SOS)|prn\b|p\.r\.n\.?|(?:only )?(?:as and )?(?:as|if|when|whenever) (?:needed|required"
    rf"|necessary|reqd|req\W?d|necc?essary))(?:(?: for |(?<=[nN.]) (?={_SYMPTOM}))(?P<reason>(?!\d|an? |the |up "
    rf"|(?:one|two|three|four|five|six|seven) )[^\W\d_][^.,;:()|\n\d]{{0,80}}?)(?=[.,;:()|\n\d]|$| (?:x|for|and|or"
    r"|but|up|not|by|rather|max\w*) ))?"
)
_SPAN_OF_TIME = r"(?P<unit{n}>d(?:ays?)?|w(?:ee)?ks?|months?|mos?|mths?|years?|yrs?|doses|nights?)\b"
_DURATION = phrases(
    r"(?<![\w.])(?:(?:for|x|\xd7|over)\s?(?:(?:up to|the next|a total of|another|about|a further|a"
    rf"|total)\s)?(?P<count1>{COUNT_RANGE})(?:\s|-|(?<=\d))?(?:more\s|further\s)?{_SPAN_OF_TIME.format(n=1)}"
    rf"|(?P<count2>{COUNT_RANGE})[\s-]{_SPAN_OF_TIME.format(n=2)}['\u2019]?\s(?:courses?|supply|taper|total)"
    rf"|(?:(?:for|x)\s?)?(?P<count3>\d{{1,2}})/(?P<unit3>7|52|12)(?![\d/])|(?P<count4>\d{{1,3}})(?:\s"
    rf"|-)?{_SPAN_OF_TIME.format(n=4)}(?!['\u2019]|\s(?:ago|later|earlier|before|after|post|prior|old|hx|history"
    r"|since)))",
    re.NOFLAG,
)
_TIMES: Final = {"d": "day", "n": "day", "w": "week", "m": "month", "y": "year", "7": "day", "5": "week"}
_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_TOGETHER = re.compile(r"(?:[\s,:(|\u2013\u2014-]{0,4}|[ \t|]{0,40})(?:\d{1,3}(?:\.\d{1,4})?\s?%[ \t|]{1,40})?")
"""What stands between two directions of which the second is understood by the first."""


_CELL_BEFORE: Final = re.compile(r"[|\t] {0,4}$")
_CELL_AFTER: Final = re.compile(r" {0,40}[|\t\n]")


def find_directions(text: str, lowered: str, start: int, end: int, names: Sequence[Place] = ()) -> list[Direction]:
    """The directions in text[start:end] in their order, without overlaps; of two at one place the longer one.

    A limit ("not to exceed 4 g per day") is no direction, and what it is made of isn't one either. What is part of a
    name (the names are in their order) is none but the form that it ends with; some are only directly after a name
    or another direction.

    Args:
        text: The document.
        lowered: The same in small letters.
        start: Where to begin.
        end: Where to end.
        names: The names of drugs.
    """
    candidates = [
        *find_limits(text, lowered, start, end),
        *find_doses(text, lowered, start, end),
        *_quantities(text, lowered, start, end),
        *_as_needed(text, start, end),
        *_routes(text, lowered, start, end),
        *_frequencies(text, lowered, start, end),
        *_durations(text, lowered, start, end),
    ]
    candidates.sort(key=lambda found: (found[0].start, -found[0].end))
    directions: list[Direction] = []
    last_end = start
    next_name = 0
    supported_at = -1
    for found, needs_support in candidates:
        while next_name < len(names) and names[next_name].end <= found.start:
            supported_at = max(supported_at, names[next_name].end)
            next_name += 1
        is_in_name = next_name < len(names) and names[next_name].start < found.end
        is_form = is_in_name and isinstance(found, Route) and found.end == names[next_name].end  # "nicotine patch"
        if found.start < last_end or (is_in_name and not is_form):
            continue
        if (
            needs_support
            and not (supported_at >= 0 and _TOGETHER.fullmatch(text, supported_at, found.start))
            and not (
                _CELL_BEFORE.search(text, max(start, found.start - 8), found.start)
                and _CELL_AFTER.match(text, found.end)
            )
        ):
            continue
        last_end = found.end
        if isinstance(found, Direction):
            directions.append(found)
            supported_at = found.end
    return directions


def _quantities(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    for match in _QUANTITY.finditer(lowered, start, end):
        low, high = low_and_high(match["count"])
        form = match["form"].replace("ies", "y").removesuffix("s")
        if form == "patch" and low > 4:  # its strength: "estradiol 50 patch"
            continue
        yield Quantity(**matched(match, text), value=low, value_max=high, form=_SHORT_FORMS.get(form, form)), False


def _routes(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    for match in _ROUTE.finditer(lowered, start, end):
        if not _NO_ROUTE_BEFORE.search(text, max(start, match.start() - LOOK_BACK), match.start()):
            written = match.group()
            is_weak_route = written in _WEAK_ROUTES or (
                _BODY_PART.search(written) is not None
                and not _IS_APPLIED.search(lowered, max(start, match.start() - LOOK_BACK), match.start())
            )
            yield Route(**matched(match, text), route=_ROUTES[int((match.lastgroup or "r0")[1:])][0]), is_weak_route
    for match in _CAPITALS.finditer(text, start, end):
        yield Route(**matched(match), route=_CAPITAL_ROUTES[match.group()]), True


def _frequencies(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    for match in FREQUENCY.finditer(lowered, start, end):
        if not is_word(match, text):
            yield parse_frequency(match, text), is_weak(match)


def _as_needed(text: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    for match in _AS_NEEDED.finditer(text, start, end):
        yield AsNeeded(**matched(match), reason=match["reason"].strip() if match["reason"] else None), False


def _durations(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    for match in _DURATION.finditer(lowered, start, end):
        low, high = low_and_high(next(match[f"count{n}"] for n in range(1, 5) if match[f"count{n}"]))
        written = next(match[f"unit{n}"] for n in range(1, 5) if match[f"unit{n}"]).lower()
        unit = "dose" if written == "doses" else _TIMES[written[0]] if written != "12" else "month"
        days = low * _DAYS[unit] if unit in _DAYS else None
        yield Duration(**matched(match, text), value=low, value_max=high, unit=unit, days=days), bool(match["count4"])

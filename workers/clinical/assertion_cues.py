"""The words by which a clinical text says that a drug is taken, was stopped, is not taken, or is not tolerated.

A line of a table is a pattern, what it says (an exclamation mark: it is said of medicines only), and for a cue that
stands before the names how many other words may stand in between. Of two cues at one place the first line counts.
A space in a pattern stands for any white space.
"""

from typing import Final

_TAKE: Final = r"(?:tak(?:e|es|ing|en)|took|us(?:es|ed|ing)|use(?! of)|receiv(?:e|es|ed|ing))"
_NOT: Final = r"(?:not|never|n['\u2019]t)"
_START: Final = r"(?:start(?:ed)?(?: on)?|given|prescribed|treated with|put on|placed on)"
_STOP: Final = (
    r"(?:stop(?:s|ped|ping)?|discontinu(?:e|es|ed|ing)|d/c(?:['\u2019]?e?d)?|dc['\u2019]?e?d|h[eo]ld(?:s|ing)?|withh[eo]ld(?:ing)?"
    r"|ceas(?:e|ed|ing)|quit|suspend(?:ed)?|paus(?:e|ed))"
)
_REACTION: Final = r"(?:anaphyla(?:xis|ctic (?:reaction|shock))|hives|urticaria|rash|angioedema|swelling)"
_ALLERGY: Final = r"(?:allerg(?:y|ies)|hypersensitivity|intolerance|(?:adverse|allergic) reactions?)"

CUES_BEFORE: Final = (
    (
        (
            rf"(?:do|does|did|should|would|must|will|can)(?: {_NOT}|n['\u2019]t) (?:{_STOP}|skip|miss"
            rf"|forget)(?: {_TAKE})?"
        ),
        "active",
        2,
    ),
    (r"not only(?: on)?|without (?:missing|interruption)", "active", 2),
    (
        (
            r"(?:no|without(?: any)?) (?:\w+ )?(?:changes?|side[ -]effects?|issues?|problems?|difficult(?:y|ies)"
            r"|complaints?|relief|improvement|response|benefit)(?: (?:in|to|with|from|on|of|for))?"
        ),
        "active",
        2,
    ),
    (
        (
            r"not (?:\w+ )?(?:controlled|relieved|improv(?:ed|ing)|respond(?:ed|ing)|helped) (?:on|by|with|to"
            r"|despite)"
        ),
        "active",
        2,
    ),
    (
        (rf"(?:no|denies|denied|without)(?: (?:known|any|prior|history of|drug|medication))* {_ALLERGY} to"),
        "negated!",
        2,
    ),
    (r"(?:not|denies being) (?:known to be )?allergic to", "negated!", 2),
    (r"tolerat(?:es?|ed|ing)", "active", 2),
    (
        (
            r"(?:no longer|not? (?:more|further))(?: (?:tak\w+|us\w+|on|need\w*|requir\w+|prescribed"
            r"|receiv\w+))*"
        ),
        "stopped",
        1,
    ),
    (rf"used to {_TAKE}|(?:formerly|previously|was once) (?:on|{_TAKE}|treated with|prescribed)", "stopped", 1),
    (
        (
            rf"(?:(?:is|are|was|were|has|have|had|does|do|did|should|could|would|will|can)(?: )?)?(?:{_NOT}|cannot)"
            r"(?: (?:to|be|been|being|currently|presently|now|yet|any|ever|had|have|regularly|recently))*"
            rf" (?:{_TAKE}|on|{_START}|want|tolerate)"
        ),
        "negated",
        3,
    ),
    (rf"den(?:ies|ied|ying)(?: (?:\w+ ){{0,4}}?(?:{_TAKE}|use of))?", "negated", 12),
    (r"declin(?:es|ed|ing)|refus(?:es|ed|ing)|avoid(?:s|ed|ing)?|instead of|rather than|in place of", "negated", 3),
    (rf"never (?:been )?(?:on|{_TAKE}|{_START})", "negated", 2),
    (r"no|without|neither|nor", "negated", 2),
    (r"(?:switched|changed|transitioned|converted)(?: (?:him|her|them|the patient))? from", "stopped", 0),
    (r"(?:replaced|substituted) (?:with|by)", "active", 2),
    (r"replac(?:e|ed|ing)", "stopped", 0),
    (r"to|with|by", "switched", 0),
    (r"(?:taken|weaned|tapered|come|came) off(?: of)?|off(?: of)?(?! the)", "stopped", 1),
    (
        (
            r"(?:completed|finished)(?: (?:a|an|the|his|her|their|full|\S+[ -]days?"
            r"|\S+[ -]weeks?))*(?: course of)?"
        ),
        "stopped",
        1,
    ),
    (rf"{_STOP}(?: (?:{_TAKE}|giving|treatment with|the use of))?", "stopped", 3),
    (
        (
            rf"(?:known )?(?:allergic to|{_ALLERGY}(?: (?:to|of|with|includ(?:e|es|ing)|are|is))?:?"
            r"|intolerant (?:of|to))"
        ),
        "allergy!",
        3,
    ),
    (rf"{_REACTION} (?:to|with|from|after)(?: (?:{_TAKE}|receiving))?", "allergy!", 2),
    (
        (
            r"prescri(?:bed?|bes|bing|ption for)|administer(?:ed|ing)?|refill(?:s|ed)?(?: (?:of|for))?"
            r"|dos(?:e|es) of|rx:?"
        ),
        "active!",
        3,
    ),
    (
        (
            r"(?:treated|managed|treatment|therapy|maintained|loaded|controlled|anticoagulated) (?:with|on)"
            r"|courses? of"
        ),
        "active!",
        3,
    ),
    (
        (
            r"(?:home |current |daily )?(?:medications?|medicines|meds)(?: (?:include[sd]?|including|are|is"
            r"|of|such as|were))?:?"
        ),
        "active!",
        4,
    ),
    (
        (
            r"(?:re)?start(?:s|ed|ing)?(?: (?:on|taking))?|begin(?:s|ning)?|began|begun|initiat(?:e|ed|ing)"
            r"|resum(?:e|ed|ing)"
        ),
        "active",
        3,
    ),
    (
        (
            r"continu(?:e|es|ed|ing)(?: (?:on|to take|taking|with))?|increas(?:e|ed|ing)|decreas(?:e|ed|ing)"
            r"|titrat(?:e|ed)"
        ),
        "active",
        2,
    ),
    (rf"{_TAKE}", "active", 2),
    (r"on|given|giv(?:e|es)|gave|add(?:ed|ing)?", "active", 0),
    (
        (
            r"requir(?:es|ed|ing)|(?:switched|changed|transitioned)(?: back)? to|trial of|apply|inject(?:s"
            r"|ed)?|inhal(?:e|es)"
        ),
        "active",
        2,
    ),
)
_BE: Final = (
    r"(?:(?:which|that|but|and|it|this) )*"
    r"(?:(?:was|were) then|was|were|is|are|has been|have been|had been|be|being|to be|will be|should be)"
)
CUES_AFTER: Final = (
    (rf"(?:{_BE} )?(?:{_NOT}|never)(?: (?:be|been|to be))? {_STOP}", "active"),
    (
        (
            rf"(?:{_BE} )?(?:not|never)(?: (?:be|been|to be|currently|being))* (?:{_TAKE}|{_START}|indicated"
            r"|tolerated|on board)"
        ),
        "negated",
    ),
    (
        (
            rf"{_BE} (?:contraindicated|avoided|declined|refused|denied)|(?:[:\u2013-](?: )?)(?:denies|denied"
            r"|none|no)\b"
        ),
        "negated",
    ),
    (rf"{_BE} (?:\w+ly )?(?:{_STOP}|on hold|completed|finished|tapered off|weaned off)", "stopped"),
    (
        # Without "was" it must not have an object of its own ("takes aspirin, stopped smoking").
        (
            rf"(?:{_STOP}|on hold)(?=[.,;:)]|\s*$|\s*\n| (?:on|in|at|by|due|because|last|since|prior|before|after|for"
            r"|as|this|and|yesterday|today|until|\d+)\b)"
        ),
        "stopped",
    ),
    (r"[ -]?allerg(?:y|ies|ic(?! to))|intolerance", "allergy!"),
    (
        (
            r"(?:(?:which|that) )?(?:caus(?:es|ed|ing)|g[ai]ve(?:s|n)?)(?: (?:him|her|them|me|a|an|severe"
            rf"|mild))* {_REACTION}"
        ),
        "allergy!",
    ),
    (
        (
            rf"{_BE} (?:\w+ly )?(?:(?:re)?started|continued|resumed|increased|decreased|prescribed|given|added"
            r"|administered|initiated)(?! on)"
        ),
        "active",
    ),
    (r"(?:(?:re)?started|continued|resumed|increased|decreased|added)(?=[.,;)]|\s*$| (?:at|to|today)\b)", "active"),
    (r"(?:therapy|treatment|prescription|tablets?|capsules?|pills?|injections?)\b", "active"),
)
FILLER: Final = (
    r"(?:a|an|the|his|her|their|my|your|its|any|some|all|both|other|another|each|either|only|also|and|or|of|with|plus|to|on"
    r"|for|such|as|like|e\.?g\.?|including|includ(?:es|ed?)|home|daily|low|high|dose|doses|oral|iv|po|long-term|new|old"
    r"|current(?:ly)?|regular(?:ly)?|agents?|drugs?|medications?|medicines?|meds|tablets?|capsules?|pills?|use|taking"
    r"|painkillers?|over-the-counter|otc|generic|brand|name|was|were|be|been|him|her|them|patient)"
)
BREAKER: Final = (
    r"[;!?]|\b(?:but|however|except|although|though|which|because|due to|for which|until|despite|while|whereas)\b"
)
"""What no cue reaches across."""

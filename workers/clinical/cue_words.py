"""The words that the cues are made of. A space in a pattern stands for any white space."""

from typing import Final

TAKE: Final = r"(?:tak(?:e|es|ing|en)|took|us(?:es|ed|ing)|use(?! of)|receiv(?:e|es|ed|ing)|ha(?:ve|ving))"
NOT: Final = r"(?:not|never|n['\u2019]t)"
START: Final = (
    r"(?:(?:re)?start(?:ed|ing)?(?: on)?|commenc(?:e|ed|ing)|given|prescribed|treated with|put on|placed on|tried"
    r"|picked up"
    r"|filled|needed|required)"
)
STOP: Final = (
    r"(?:(?:self-)?stop(?:s|ped|ping|p?t)?|(?:self-)?discontinu(?:e|es|ed|ing)|d/?c['\u2019]?e?d|d/c|h[eo]ld(?:s"
    r"|ing)?|withh[eo]ld(?:ing)?|ceas(?:e|ed|es|ing)"
    r"|quit|suspend(?:ed|ing)?|paus(?:e|ed|ing)|omit(?:s|ted|ting)?(?! on| morning)|withdraw[ns]?|withdrew"
    r"|deprescribe?d?"
    r"|terminated|abandoned)"
)
REACTION: Final = (
    r"(?:anaphyla(?:xis|ctic(?: (?:reaction|shock))?|ctoid)|hives|urticaria|(?:\w+ )?rash(?:es)?|angio-?o?edema"
    r"|(?:lip|facial|face"
    r"|tongue|throat) swelling|stevens[\s-]johnson|sjs|blister(?:ing|s)|wheal|bronchospasm|serum sickness"
    r"|dress syndrome|itch(?:ing)?"
    r"|pruritus|erythroderma|anaph)"
)
ALLERGY: Final = (
    r"(?:allerg(?:y|ies)|hyper-?sensitivit(?:y|ies)|intolerances?|(?:adverse|allergic|bad|severe|serious"
    r"|anaphylactic)"
    r"(?: drug)? (?:reactions?|events?)|adrs?)"
)
HERS: Final = r"(?: (?:him|her|them|the patient|patient|pt|his|their|me|my))?"
BE: Final = (
    r"(?:(?:which|that|but|and|it|this|we|has|have|had|also|both) ){0,3}"
    r"(?:(?:was|were) then|was|were|is|are|has been|have been|had been|been|be|being|to be|will be|should be"
    r"|must be|got|getting)"
)

CONDITION: Final = r"\b(?:if|unless|in case|until|then|when|once|after|before|can|could|may|might)\b[^.;:\n|]{0,60}$"
"""What makes "stop" something for later where it stands before it: "2 tablets daily for 5 days, then stop"."""
LATER: Final = r"(?:stop|hold|omit|discontinue|withhold|pause|cease|suspend)\b"
"""The cues that a condition before them makes something for later."""
ELLIPTIC_WORDS: Final = (
    r"now|since|this|it|that|is|was|has|have|had|been|agreed|advised|asked|told|to|be|please|will|i|we|he|she|they"
    r"|patient|pt|also|both|therefore|so"
    r"|subsequently|then|already|recently|plan|temporarily|currently"
)
"""The words that a sentence may start with which goes on about the drug before."""
KIN: Final = (
    r"(?:(?:grand|step|half-?|god)?-?(?:mothers?|fathers?|sons?|daughters?|sisters?|brothers?)(?:-in-law)?|mums?"
    r"|moms?|mummy|dads?|parents?"
    r"|grandparents?|gran|grandma|granddad|grandad|nan|nana|aunt(?:ie|y)?s?|uncles?|cousins?|nephews?|nieces?"
    r"|siblings?|twin|wife|husband"
    r"|partner|spouse|fianc[eé]e?|girlfriend|boyfriend|neighbours?|neighbors?|friends?|flatmate|roommate"
    r"|relatives?|family members?)"
)
"""Whom a text may speak of beside the patient."""
NOT_OF_KIN: Final = (
    r"\b(?:he|him|himself|she|herself|patient|pt|i|we|proband|child|baby|infant|boy|girl|aware|present|reports?"
    r"|reported|says?|said|states?"
    r"|stated|told|tells|thinks?|concerned|worried|noticed|notes?|gave|gives?|giving|brought|brings|call(?:s|ed)"
    r"|rang|phoned|informed|confirms?"
    r"|confirmed|helps?|administers?|manages?|supervises?|prompts?|asks?|asked|wants?|bought|buys|collects?|found"
    r"|attended|accompanied"
    r"|who gave|mentioned|describes?|described|recalls?|stopped giving|mr|mrs|ms|miss)\b|[;!?]"
)
"""What between a relative and a drug says that the drug is not the relative's."""
FILLER: Final = (
    r"(?:a|an|the|his|her|their|my|your|its|any|some|all|both|other|another|each|either|only|also|and|or|of|with"
    r"|plus|to|on"
    r"|for|such|as|like|e\.?g\.?|including|includ(?:es|ed?)|home|daily|low|high|dose|doses|oral|iv|po|long-term"
    r"|new|old"
    r"|current(?:ly)?|regular(?:ly)?|agents?|drugs?|medications?|medicines?|meds|tablets?|capsules?|pills?|use|taking"
    r"|painkillers?|over-the-counter|otc|generic|brand|name|was|were|be|been|him|her|them|patient|pt|tabs?|caps?"
    r"|inj|syp|t|c|sr|mr|xl|er"
    r"|cr|la|ec|please|start(?:ing)?|inhalers?|cream|ointment|gel|drops?|patch(?:es)?|spray|infusion|injections?"
    r"|prophylactic|still"
    r"|temporarily|now|it|which|that|he|she|they|i|we)"
)
BREAKER: Final = (
    r"[;!?]|\b(?:but|however|except|although|though|because|due to|for which|until"
    r"|despite|while|whereas|who|so|therefore|hence)\b"
)
"""What no cue reaches across."""

"""The words that the cues are made of. A space in a pattern stands for any white space."""

from typing import Final

TAKE: Final = r"(?:tak(?:e|es|ing|en)|took|us(?:es|ed|ing)|use(?! of)|receiv(?:e|es|ed|ing)|ha(?:ve|ving))"
NOT: Final = r"(?:not|never|n['\u2019]t)"
START: Final = (
    r"(?:(?:re)?start(?:ed|ing)?(?: on)?|commenc(?:e|ed|ing)(?: on)?|given|prescribed|treated with|put on|placed on"
    r"|tried|picked up|filled|needed|required)"
)
STOP: Final = (
    # Its first letters are looked at first: it is looked for everywhere, and most words are none of it.
    r"(?:(?=[acdhilopqrstw])(?:(?:self-)?stop(?:s|ped|ping|p?t)?|(?:self-)?discontinu(?:e|es|ed|ing)"
    r"|d/?c['\u2019]?e?d|(?<!on\s)(?<!at\s)(?<!for\s)(?<!post\s)(?<!upon\s)(?<!prior\sto\s)d/?c(?!\s?[:-]|\s(?:meds?"
    r"|medications?|summary|home|plan|letter|rx|cardioversion|shock|on|with|to|today|tomorrow)\b)|h[eo]ld(?:s|ing)?"
    r"|withh[eo]ld(?:ing)?|w/h(?:eld)?|(?:self-)?ceas(?:e|ed|es|ing)|quit|suspend(?:ed|ing)?|paus(?:e|ed|ing)"
    r"|omit(?:s|ted|ting)?(?! on| morning| from| once| twice| one| two)|withdraw[ns]?|withdrew|de-?prescrib(?:ed?"
    r"|ing)|remove|terminated|abandoned|halt(?:ed|ing)?|interrupted|phased out|tail(?:ed|ing) off|le(?:ave|aving"
    r"|ft) out(?! (?:of|from|by|in)\b)))"
)
MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b"
)
REACTION: Final = (
    r"(?:anaphyla(?:xis|ctic(?: (?:reaction|shock))?|ctoid)|hives|urticaria|(?:\w+ )?rash(?:es)?|angio-?o?edema"
    r"|(?:lip|facial|face|tongue|throat) swelling|stevens[\s-]johnson|sjs|blister(?:ing|s)|wheal|bronchospasm"
    r"|serum sickness|dress syndrome|itch(?:ing)?|pruritus|swollen (?:lips?|face|tongue)|photosensitivity|red man"
    r"|erythroderma|anaph|swelling of (?:the |his |her )?(?:lips?|face|tongue|throat)|wheez(?:e|ing)|dermatitis"
    r"|steven[s']? johnson|toxic epidermal necrolysis|oculogyric crisis|(?:acute )?dystonia"
    r"|neuroleptic malignant syndrome|nms|serotonin syndrome)"
)
ALLERGY: Final = (
    r"(?:allerg(?:y|ies)|hyper-?sensitivit(?:y|ies)|intolerances?|(?:adverse|allergic|bad|severe|serious"
    r"|anaphylactic)(?: drug)? (?:reactions?|events?)|adrs?)"
)
HERS: Final = r"(?: (?:him|her|them|the patient|patient|pt|his|their|me|my))?"
BE: Final = (
    r"(?:(?=[abghimstw])(?:(?:which|that|but|and|it|this|we|has|have|had|also|both) ){0,3}(?:(?:was|were) then|was"
    r"|were|is|are|has been|have been|had been|been|be|being|to be|will be|should be|must be|got|getting))"
)

CONDITION: Final = r"\b(?:if|unless|in case|until|then|when|once|after|before|can|could|may|might)\b[^.;:\n|]{0,60}$"
"""What makes "stop" something for later where it stands before it: "2 tablets daily for 5 days, then stop"."""
LATER: Final = (
    r"(?:to |can |may )?(?:stops?|hold|omit|discontinue|withhold|pause|cease|suspend|wean(?:ing)?|taper(?:ing)?"
    r"|com(?:e|ing))\b"
)
"""The cues that a condition before them makes something for later."""
ELLIPTIC_WORDS: Final = (
    r"now|since|this|it|that|is|was|has|have|had|been|agreed|advised|asked|told|to|be|please|will|i|we|he|she|they"
    r"|patient|pt|also|both|therefore|so|subsequently|then|already|recently|plan|temporarily|currently"
)
"""The words that a sentence may start with which goes on about the drug before."""
SPOUSE: Final = r"(?:wife|husband|partner|spouse|girlfriend|boyfriend|neighbou?r|friend|flatmate)"
KIN: Final = (
    r"(?:(?:grand|step|half-?|god)?-?(?:mothers?|fathers?|sons?|daughters?|sisters?|brothers?)(?:-in-law)?|mums?"
    r"|moms?|mummy|dads?|parents?|grandparents?|gran|grandma|granddad|grandad|nan|nana|aunt(?:ie|y)?s?|uncles?"
    r"|cousins?|nephews?|nieces?|siblings?|twin|wife|husband|partner|spouse|fianc[eé]e?|girlfriend|boyfriend"
    r"|neighbours?|neighbors?|friends?|flatmate|roommate|relatives?|family members?)"
)
"""Whom a text may speak of beside the patient."""
FILLER: Final = (
    rf"(?:a|an|the|his|her|their|my|your|its|any|some|all|both|other|another|each|either|only|also|and|or|of|with"
    rf"|plus|to|on|for|such|as|like|e\.?g\.?|including|includ(?:es|ed?)|home|daily|low|high|dose|doses|oral|iv|po"
    rf"|long-term|new|old|current(?:ly)?|usual|regular(?:ly)?|agents?|drugs?|medications?|medicines?|meds|tablets?"
    rf"|capsules?|pills?|use|taking|painkillers?|over-the-counter|otc|generic|brand|name|was|were|be|been|him|her"
    rf"|them|patient|pt|tabs?|caps?|inj|syp|t|c|sr|mr|xl|er|cr|la|ec|please|start(?:ing)?|inhalers?|cream|ointment"
    rf"|gel|drops?|patch(?:es)?|spray|infusion|injections?|prophylactic|still|(?:immediate|modified|slow|extended"
    rf"|sustained|prolonged)[\s-]release|(?:long|short)-acting|old|depot|temporarily|now|it|which|that|he|she|they|i"
    rf"|we|initially|first|briefly|(?:in|since|from|during) (?:the )?(?:early |late |mid-?)?(?:(?:19|20)\d\ds?"
    rf"|{MONTH}(?: (?:19|20)\d\d)?))"
)
BREAKER: Final = (
    r"[;!?]|\b(?:but|however|except|although|though|because|due to|for which|until|despite|while|whereas|who|so"
    r"|therefore|hence)\b"
)
"""What no cue reaches across."""

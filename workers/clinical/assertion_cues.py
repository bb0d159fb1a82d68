"""The words by which a clinical text says that a drug is taken, was stopped, is not taken, or is not tolerated.

A line of a table is a pattern, what it says ("!": it is said of medicines only; "~": it counts only where nothing else
does), and how many other words may stand between the cue and the name. Of two cues at one place the first line counts. A space in a pattern
stands for any white space.
"""

from typing import Final

_TAKE: Final = r"(?:tak(?:e|es|ing|en)|took|us(?:es|ed|ing)|use(?! of)|receiv(?:e|es|ed|ing)|ha(?:ve|ving))"
_NOT: Final = r"(?:not|never|n['\u2019]t)"
_START: Final = (
    r"(?:(?:re)?start(?:ed|ing)?(?: on)?|commenc(?:e|ed|ing)|given|prescribed|treated with|put on|placed on|tried|picked up"
    r"|filled|needed|required)"
)
STOP: Final = (
    r"(?:(?:self-)?stop(?:s|ped|ping|p?t)?|(?:self-)?discontinu(?:e|es|ed|ing)|d/?c['\u2019]?e?d|d/c|h[eo]ld(?:s|ing)?|withh[eo]ld(?:ing)?|ceas(?:e|ed|es|ing)"
    r"|quit|suspend(?:ed|ing)?|paus(?:e|ed|ing)|omit(?:s|ted|ting)?(?! on| morning)|withdraw[ns]?|withdrew|deprescribe?d?"
    r"|terminated|abandoned)"
)
_REACTION: Final = (
    r"(?:anaphyla(?:xis|ctic(?: (?:reaction|shock))?|ctoid)|hives|urticaria|(?:\w+ )?rash(?:es)?|angio-?o?edema|(?:lip|facial|face"
    r"|tongue|throat) swelling|stevens[\s-]johnson|sjs|blister(?:ing|s)|wheal|bronchospasm|serum sickness|dress syndrome|itch(?:ing)?"
    r"|pruritus|erythroderma|anaph)"
)
_ALLERGY: Final = (
    r"(?:allerg(?:y|ies)|hyper-?sensitivit(?:y|ies)|intolerances?|(?:adverse|allergic|bad|severe|serious|anaphylactic)"
    r"(?: drug)? (?:reactions?|events?)|adrs?)"
)
_HERS: Final = r"(?: (?:him|her|them|the patient|patient|pt|his|their|me|my))?"
_BE: Final = (
    r"(?:(?:which|that|but|and|it|this|we|has|have|had|also|both) ){0,3}"
    r"(?:(?:was|were) then|was|were|is|are|has been|have been|had been|been|be|being|to be|will be|should be|must be|got|getting)"
)

CUES_BEFORE: Final = (
    (
        (
            rf"(?:do|does|did|should|would|must|will|can|could)(?: {_NOT}|n['\u2019]t) (?:{STOP}|skip|miss"
            rf"|forget)(?: {_TAKE})?"
        ),
        "active",
        2,
    ),
    (r"not only(?: on)?|without (?:missing|interruption)", "active", 2),
    (
        (
            r"(?:no|without(?: any)?) (?:\w+ )?(?:changes?|side[\s-]effects?|issues?|problems?|difficult(?:y|ies)|complaints?"
            r"|relief|improvement|response|benefit|reactions?|trouble|doubt|need for dose change)(?: (?:in|to|with|from|on|of|for))?"
        ),
        "active",
        2,
    ),
    (
        (
            r"not (?:\w+ )?(?:controlled|relieved|improv(?:ed|ing|e)|respond(?:ed|ing)?|helped|settled|settling) (?:on|by|with|to"
            r"|despite)"
        ),
        "active",
        2,
    ),
    (
        (
            rf"(?:no|not|nil|denies|denied|without)(?: (?:an?|known|any|prior|history of|drug|medication|true|is)){{0,4}}"
            rf" (?:{_ALLERGY}|reactions?|sensitivity) to"
        ),
        "negated!",
        3,
    ),
    (
        (
            r"(?:nkda|nka|no known (?:drug )?allergies|nil known(?: (?:drug )?allergies)?|no(?: drug)? allergies"
            r"|allerg(?:y|ies|ic)(?: to)?:?\s{0,8}(?:all|everything|nil|none|no))(?: \w+)?,?(?: \(?|-\s?)(?:except|apart from|other than|but)(?: for)?"
        ),
        "allergy!",
        2,
    ),
    (rf"not (?:an? |true |drug )?{_ALLERGY}(?: to)?:?", "active!", 3),
    (r"(?:not|denies being|no longer) (?:known to be |thought to be )?allergic to", "negated!", 2),
    (
        rf"(?:did|does|could|can|do)(?: {_NOT}|n['\u2019]t|not) tolerat(?:e|ing)|(?:un|not )able to tolerate",
        "allergy!",
        2,
    ),
    (r"tolerat(?:es?|ed|ing)", "active", 2),
    (
        (
            rf"(?:do|should|must|will|would|to)(?: {_NOT}|n['\u2019]t)(?: be)? (?:restart(?:ed)?|resum(?:e|ed)|re-?commence[d]?"
            r"|re-?start(?:ed)?|continued?)"
        ),
        "stopped",
        2,
    ),
    (
        (
            r"(?:no longer|not? (?:more|further)|not .{0,12}any\s?more)(?: (?:tak\w+|us\w+|on|need\w*|requir\w+|prescribed"
            r"|receiv\w+)){0,3}"
        ),
        "stopped",
        1,
    ),
    (
        (
            rf"used to (?:{_TAKE}|be on)|(?:formerly|previously|was once|once|was previously|in the past) (?:been )?(?:on|{_TAKE}"
            r"|treated with|prescribed|tried)|(?:had been|(?:he|she|patient|pt|who) was|was) (?:on|taking|using)"
            r"|previous(?:ly)?(?: tried)?|past (?:use|trial|course) of|history of (?=\w+ use)|failed(?: on| with)?|(?:has |have |had )?(?:tried|trialled)|(?:un|not )able to get on with|did not get on with|ran out of|run out of"
        ),
        "stopped",
        1,
    ),
    (
        (
            rf"(?:(?:is|are|was|were|has|have|had|does|do|did|should|could|would|will|can|must|may|ca)\s?)?(?:{_NOT}|cannot)"
            r"(?: (?:to|be|been|being|currently|presently|now|yet|any|ever|had|have|regularly|recently|actually|also|formally)){0,4}"
            rf" (?:{_TAKE}|on|for|{_START}|want(?: to (?:take|start|have|try))?|keen(?: on| to (?:take|start|have|try))?"
            r"|willing to (?:take|start|have|try)|indicated|give|prescribe|recommend(?:ed|ing)?|in favour of|suitable for|advis(?:e|ed)"
            r"|for|need(?:ing)?|requir(?:e|ing)|tak(?:e|ing))"
        ),
        "negated",
        3,
    ),
    (r"(?:yet|still) to (?:start|begin|commence|collect)|hasn['\u2019]t started", "negated", 2),
    (rf"den(?:ies|ied|ying)(?: (?:\w+ ){{0,4}}?(?:{_TAKE}|use of))?", "negated", 12),
    (
        (
            r"declin(?:es|ed|ing|e)|refus(?:es|ed|ing|e)|avoid(?:s|ed|ing|ance of)?|instead of|rather than|in place of|contra-?indicat\w*"
            r"|reluctant to (?:take|start|try)|unwilling to (?:take|start|try)|(?:would|prefers?|rather) not(?: to)? (?:take|have|start"
            r"|try)|decid(?:ed|ing) against|against(?: (?:using|taking|starting|the use of|giving|any))?|opted (?:against|out of)"
            r"|no (?:need|role|indication|place|plans?|requirement|point) (?:for|of|in|to (?:start|take|give|use))|in lieu of"
            r"|counselled against|precludes?"
        ),
        "negated",
        3,
    ),
    (
        (
            r"(?:to |will |we |i |and |please |could |would |may |might |should )?(?:also )?(?:consider(?:s|ed|ing|ation)?|discuss(?:ed|ing)?)"
            r"(?: (?:re-?)?(?:start\w*|add\w*|switch\w*|chang\w*|giv\w*|us\w*|try\w*|trial\w*|of|for|about|introduc\w*|commenc\w*"
            r"|with|to|pros and cons|a trial|trial|the|options?|role|possibility|putting)){0,4}"
            r"|may (?:benefit from|need|require)|(?:could|might|would)(?: (?:also|well|then|always|need to|be able to|want to)){0,2} (?:benefit from|need|require"
            r"|try|add|start|use|want|like|be suitable for|switch to|move to|trial|have)"
            r"|offer(?:ed|s|ing)?|options?(?::| (?:of|include[sd]?:?|would be|are|is|being))|thinking (?:about|of)|wonder(?:ed|ing)? (?:about|whether|if)"
            r"|\?\s?(?:start|add|for|try|switch(?: to)?|needs?|trial of|role for)"
            r"|if [^.;\n]{0,60}?(?:then |we |i |would |could |to |please |, ){1,3}(?:start|add|try|give|switch to|use|commence|begin)"
            r"|candidates? for|eligible for|suitable for|asking (?:for|about)|asked (?:for|about)|requesting|wants to (?:try|start)"
            r"|for possible|possible|potential(?:ly)?(?: start\w*)?|in future,?"
        ),
        "negated",
        2,
    ),
    (rf"never (?:been )?(?:on|{_TAKE}|{_START})", "negated", 2),
    (r"no|nil|without|neither|nor", "negated", 2),
    (
        (
            rf"(?:switch(?:ed|ing)?|chang(?:ed|ing|e)|transition(?:ed|ing)?|convert(?:ed|ing)?|swap(?:ped)?|mov(?:ed|ing)|rotated)"
            rf"{_HERS} (?:over )?from"
        ),
        "stopped",
        0,
    ),
    (
        r"(?:switch(?:ed|ing)?|chang(?:ed|ing|e)|convert(?:ed|ing)?|swap(?:ped)?)(?: back| over)? (?:to|for|with)",
        "active",
        2,
    ),
    (r"(?:replaced|substituted) (?:with|by|for)", "active", 2),
    (
        r"replac(?:e|ed|ing)|switch(?:ed|ing)?|narrow(?:ed|ing)?|(?:de-?)?escalat(?:e|ed|ing)|swap(?:ped|ping)?|in exchange for",
        "stopped",
        1,
    ),
    (r"to|with|by|for|onto", "switched", 0),
    (
        rf"(?:taken|taking|wean(?:ed|ing)?|taper(?:ed|ing)?|come|came|coming|gone|went|stay(?:ing|ed)?|been|now|is){_HERS} off(?: of)?"
        r"|off(?: of)?(?! the)",
        "stopped",
        1,
    ),
    (
        (
            r"(?:complet(?:ed|es|ing)|finish(?:ed|es|ing))(?: (?:a|an|the|his|her|their|full|\S{1,8}[\s-]days?"
            r"|\S{1,8}[\s-]weeks?|\d/\d{1,2}|short|long|first|second)){0,4}(?: courses?(?: of)?| of)?|(?:status )?post[\s-]courses? of"
        ),
        "stopped",
        2,
    ),
    (
        (
            rf"{STOP}{_HERS}(?: (?:{_TAKE}|giving|treatment with|the use of|of))?"
            r"|(?:discontinuation|cessation|withdrawal|stoppage|omission|suspension) of|wean(?:ed|ing)?(?: down)?(?= and stop)"
        ),
        "stopped",
        3,
    ),
    (
        (
            rf"(?:known )?(?:severe(?:ly)? )?(?:allergic(?: (?:reactions?|to|with))?(?: to)?:?"
            rf"|{_ALLERGY}(?: (?:to|of|with|includ(?:e|es|ing)|are|is|status|label)){{0,2}}:?"
            r"|intolerant (?:of|to)|known sensitivity to|react(?:ed|s) (?:badly )?to|(?:bad |previous |nasty |severe )?reactions? (?:\w+ ){0,4}?(?:to|of|with|from))"
        ),
        "allergy!",
        3,
    ),
    (rf"{_REACTION} (?:to|with|from|after|on|following|secondary to)(?: (?:{_TAKE}|receiving))?", "allergy!", 2),
    (
        (
            r"prescri(?:bed?|bes|bing|ption for)|administer(?:ed|ing)?|refill(?:s|ed)?(?: (?:of|for))?"
            r"|dos(?:e|es) of|rx:?"
        ),
        "active!",
        1,
    ),
    (
        (
            r"(?:treated|managed|treatment|therapy|maintained|loaded|controlled|anticoagulated|stabili[sz]ed|established|covered) (?:with"
            r"|on)|courses? of"
        ),
        "active!",
        3,
    ),
    (
        (
            r"(?:home |current |daily |usual |regular )?(?:medications?|medicines|meds)(?: (?:include[sd]?|including|are|is"
            r"|of|such as|were|list|incl)){0,2}\.?:?"
        ),
        "active!~",
        4,
    ),
    (
        (
            r"(?:re-?)?start(?:s|ed|ing)?(?: (?:on|taking|back on))?|(?:re-?)?commenc(?:e|ed|es|ing)(?: on)?|begin(?:s|ning)?|began|begun"
            r"|initiat(?:e|ed|ing)|resum(?:e|ed|ing)|introduc(?:e|ed|ing)|back on|now on|currently on|remains? on|still (?:on|taking)"
            r"|swapped onto"
        ),
        "active",
        3,
    ),
    (
        (
            r"continu(?:e|es|ed|ing)(?: (?:on|to take|taking|with))?|increas(?:e|ed|ing)|decreas(?:e|ed|ing)|reduc(?:e|ed|ing)"
            r"|(?:up|down)?-?titrat(?:e|ed|ing)|maintain(?:ed)?(?: on)?"
        ),
        "active",
        2,
    ),
    (rf"(?<!or\s){_TAKE}", "active", 2),
    (r"on|given|giv(?:e|es|ing)|gave|add(?:ed|ing)?|bought|buys", "active", 0),
    (
        (r"requir(?:es|ed|ing)|trial of|apply|inject(?:s|ed)?|inhal(?:e|es)|needs?|uses|using|instil(?:l)?"),
        "active",
        2,
    ),
)
_FIRM: Final = r"(?:\w+ly |all |both |then |now |since |already |recently |again ){0,2}"
CUES_AFTER: Final = (
    (rf"(?:{_BE} )?(?:{_NOT}|never)(?: (?:be|been|to be)){{0,2}} {STOP}", "active", 0),
    (
        (
            rf"(?:{_BE} )?(?:{_NOT}|cannot)(?: (?:be|to be|been)){{0,2}} (?:restart(?:ed)?|resumed|re-?commenced|continued|to continue"
            r"|be continued)"
        ),
        "stopped",
        2,
    ),
    (
        (
            rf"(?:(?:{_BE}|do|does|did|has|have|had|could|can|should|must|will|may|would) )?(?:{_NOT}|cannot|never)(?: (?:be|been|to be"
            rf"|currently|being|yet)){{0,3}} (?:{_TAKE}|{_START}|(?:clinically )?indicated|on board|recommended|suitable|appropriate"
            r"|advised|administered|used|commenced|initiated|keen|wanted|for (?:this|her|him)|an option|collected|dispensed|necessary)"
        ),
        "negated",
        2,
    ),
    (
        rf"(?:{_BE} |poorly |was poorly )?(?:{_NOT} |badly |poorly )tolerated|could {_NOT} be tolerated",
        "allergy!",
        10,
    ),
    (r"(?:allergy|label) (?:was )?(?:removed|de-?labelled|refuted|excluded|ruled out|disproved)", "negated!", 0),
    (
        r"(?:to )?(?:->|=>|\u2192|\u21d2)\s?(?:avoid(?:ed)?|do not (?:give|use|prescribe))|avoid(?=\W{0,3}(?:anaph|rash|allerg))",
        "allergy!",
        0,
    ),
    (
        (
            rf"{_BE} (?:\w+ly )?(?:contra-?indicated|avoided|declined|refused|denied|offered|discussed|considered|deferred|kept in reserve)"
            r"|(?:contra-?indicated|declined|refused|offered|considered|discussed|avoid(?:ed)?|deferred)\b(?! (?:to|the|for pain|by mouth))"
            r"|(?:[:\u2013-]\s?)(?:denies|denied|none|no|nil)(?=\s{0,4}(?:[.,;|)\n]|$))"
            r"|(?:could|may|might|can|would|to)(?: \w+)? be (?:\w+ )?(?:considered|added|tried|started|offered|an option|needed|used|useful"
            r"|helpful|appropriate|reasonable|the next|introduced|required|suitable|avoided|discussed)"
            r"|would(?: \w+)? be(?: an?| the)? (?:option|next step|alternative|choice|consideration)|be an option|(?:as )?an? (?:option|alternative)"
            r"\b|would be the next|if (?:no (?:better|improvement|response)|this fails|not (?:settling|better|improving))"
            r"|suggested instead|no (?:role|indication|need|benefit|place|longer an option)\b"
        ),
        "negated",
        1,
    ),
    (
        (
            r"(?:which )?(?:she|he|they) (?:(?:will|would like to|wants? to) (?:think|consider)|would rather|(?:is|are) not keen|prefers? not)"
            r"|only if (?:\w+ ){1,3}(?:<|>|falls?|below|above|rises?|drops?|fails?|recurs?|worsens?|no )"
        ),
        "negated",
        10,
    ),
    (
        r"(?:but )?(?:has |have |had )?(?:never|not) (?:filled|picked|collected|started|took|taken|dispensed)(?: it| up)?\b",
        "negated",
        10,
    ),
    (r"[:,>\u2013-]\s?(?:please )?avoid\b(?! (?:\w+ing|the|contact))", "negated", 10),
    (
        (
            r"(?:(?:which|that) )?(?:caus(?:es|ed|ing)|g[ai]ve(?:s|n)?|brought (?:him|her|me) out in|produced|led to|resulted in|with"
            rf"|\u2192|->|=>|[:(\u2013-])(?:\s?(?:him|her|them|me|a|an|severe|mild|moderate|bad|nasty|widespread|generali[sz]ed"
            rf"|past|previous|known|\?)){{0,3}}\s?{_REACTION}|do not re-?challenge|upsets? (?:his|her|my|the) (?:stomach|tummy)|makes? (?:him|her|me) (?:sick|ill|vomit|unwell|nauseous|drowsy|itch\w{0, 3})|[\s-]induced (?:rash|angio|anaph|hepat|pancrea)"
        ),
        "allergy!",
        0,
    ),
    (rf"no longer (?:needed|required|prescribed|indicated|taken|takes|taking|on it|uses|using)", "stopped", 10),
    (
        rf"(?:{_BE}|has) {_FIRM}(?:{STOP}|on hold|completed|finished|tapered(?: off)?|weaned(?: off)?|switched|replaced|removed|changed to|ended)",
        "stopped",
        4,
    ),
    (
        rf"(?:and |but |so |then )?(?:i |we |he |she |they )?(?:have |has |had )?{STOP} (?:it|this|them|these|both|herself|himself|themselves)\b",
        "stopped",
        10,
    ),
    (
        # Without "was" it must not have an object of its own ("takes aspirin, stopped smoking").
        rf"(?:now |since |recently |still |temporarily |all |both |to )?(?:{STOP}|on hold)(?! (?:(?!pending|awaiting|following|owing|during)\w+ing|the|his|her|their|all|any|my|your|if|when|until|once)\b)(?!\w)",
        "stopped",
        1,
    ),
    (
        (
            r"(?:now |since |been )?(?:switched|changed|swapped|converted|replaced|substituted|rotated|superseded)(?: over)? (?:to|for|by|with)(?! \d)"
            r"|(?:course|treatment|therapy) (?:now )?(?:complete[d]?|finished|ended)|complete[d]?\b(?! (?:a|the))|finished\b(?! (?:a|the))"
            r"|ended\b|expired|crossed (?:off|out)|deleted|struck (?:off|out)|removed from|ran out|run out"
            rf"|(?:weaned|tapered|come|came|taken|is|now|been) off|off(?= since|[,.;)]|\s*$)|no longer(?: {_TAKE}| on| needed| required| prescribed| indicated)?"
            r"|in the past|previously|formerly|at one time|historically|until (?:\d{4}|(?:january|february|march|april|may|june|july|august"
            r"|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b|last|recently|(?:her|his|the) (?:pregnancy|admission"
            r"|diagnosis|operation|surgery)|\w+ (?:years?|months?|weeks?) ago|this admission)"
            r"|(?:in|during|for \w+ \w+ in) (?:19|20)\d\d(?= (?:caused|made|gave|with(?:out)? (?:benefit|effect)|no (?:benefit|effect|help)|but|did|failed))"
            r"|(?:caused|made (?:him|her|them|me)|did not (?:help|work|suit)|didn['\u2019]t (?:help|work|suit)|no (?:benefit|effect)\b|ineffective|(?:secondary )?loss of response|lost response"
            r"|failed\b|without (?:benefit|effect|success))"
        ),
        "stopped",
        1,
    ),
    (
        r"[\s-]?allerg(?:y|ies|ic(?! (?:to|rhinitis)))|[\s-]?(?:hyper-?sensitivity|intoleran(?:ce|t)|anaphylaxis)|allergic reaction",
        "allergy!",
        0,
    ),
    (
        (
            rf"{_BE} {_FIRM}(?:(?:re-?)?started|(?:re-?)?commenced|continued|resumed|increased|decreased|reduced|prescribed|given|added"
            r"|administered|initiated|titrated|tolerated)(?! on)"
        ),
        "active",
        0,
    ),
    (
        (
            r"(?:(?:re-?)?started|(?:re-?)?commenced|continued|resumed|increased|decreased|reduced|added|continue|given|unchanged|continues|ok|okay|fine|safe"
            r"|to continue|tolerated)(?=[.,;)|]|\s*$| (?:at|to|today|by|from|unchanged)\b)"
        ),
        "active",
        0,
    ),
    (r"(?:therapy|treatment|prescription|tablets?|capsules?|pills?|injections?)\b", "active", 0),
)
CONDITION: Final = r"\b(?:if|unless|in case|until|then|when|once|after|before|can|could|may|might)\b[^.;:\n|]{0,60}$"
"""What makes "stop" something for later where it stands before it: "2 tablets daily for 5 days, then stop"."""
LATER: Final = r"(?:stop|hold|omit|discontinue|withhold|pause|cease|suspend)\b"
"""The cues that a condition before them makes something for later."""
ELLIPTIC_WORDS: Final = (
    r"now|since|this|it|that|is|was|has|have|had|been|agreed|advised|asked|told|to|be|please|will|i|we|he|she|they|patient|pt|also|both|therefore|so"
    r"|subsequently|then|already|recently|plan|temporarily|currently"
)
"""The words that a sentence may start with which goes on about the drug before."""
KIN: Final = (
    r"(?:(?:grand|step|half-?|god)?-?(?:mothers?|fathers?|sons?|daughters?|sisters?|brothers?)(?:-in-law)?|mums?|moms?|mummy|dads?|parents?"
    r"|grandparents?|gran|grandma|granddad|grandad|nan|nana|aunt(?:ie|y)?s?|uncles?|cousins?|nephews?|nieces?|siblings?|twin|wife|husband"
    r"|partner|spouse|fianc[eé]e?|girlfriend|boyfriend|neighbours?|neighbors?|friends?|flatmate|roommate|relatives?|family members?)"
)
"""Whom a text may speak of beside the patient."""
NOT_OF_KIN: Final = (
    r"\b(?:he|him|himself|she|herself|patient|pt|i|we|proband|child|baby|infant|boy|girl|aware|present|reports?|reported|says?|said|states?"
    r"|stated|told|tells|thinks?|concerned|worried|noticed|notes?|gave|gives?|giving|brought|brings|call(?:s|ed)|rang|phoned|informed|confirms?"
    r"|confirmed|helps?|administers?|manages?|supervises?|prompts?|asks?|asked|wants?|bought|buys|collects?|found|attended|accompanied"
    r"|who gave|mentioned|describes?|described|recalls?|stopped giving|mr|mrs|ms|miss)\b|[;!?]"
)
"""What between a relative and a drug says that the drug is not the relative's."""
FILLER: Final = (
    r"(?:a|an|the|his|her|their|my|your|its|any|some|all|both|other|another|each|either|only|also|and|or|of|with|plus|to|on"
    r"|for|such|as|like|e\.?g\.?|including|includ(?:es|ed?)|home|daily|low|high|dose|doses|oral|iv|po|long-term|new|old"
    r"|current(?:ly)?|regular(?:ly)?|agents?|drugs?|medications?|medicines?|meds|tablets?|capsules?|pills?|use|taking"
    r"|painkillers?|over-the-counter|otc|generic|brand|name|was|were|be|been|him|her|them|patient|pt|tabs?|caps?|inj|syp|t|c|sr|mr|xl|er"
    r"|cr|la|ec|please|start(?:ing)?|inhalers?|cream|ointment|gel|drops?|patch(?:es)?|spray|infusion|injections?|prophylactic|still"
    r"|temporarily|now|it|which|that|he|she|they|i|we)"
)
BREAKER: Final = r"[;!?]|\b(?:but|however|except|although|though|because|due to|for which|until|despite|while|whereas|who|so|therefore|hence)\b"
"""What no cue reaches across."""

"""What says something of the drugs named after it: "denies", "was switched from", "allergic to".

A line of the table is a pattern, what it says ("!": it is said of medicines only; "~": it counts only where nothing
else does), and how many other words may stand between the cue and the name. Of two cues at one place the first line
counts. A space in a pattern stands for any white space; the text is in small letters.
"""

from typing import Final

from workers.clinical.cue_words import ALLERGY, HERS, NOT, REACTION, START, STOP, TAKE

_ALL: Final = (
    r"(?:all|everything|(?:all )?(?:of )?(?:the |his |her |your |their )?(?:other |usual |regular |home "
    r"|current ){0,2}(?:meds|medications?|medicines|drugs|tablets))(?: (?:as|usual|normal|before|else)){0,3}"
)
_EXCEPT: Final = r",? (?:except|apart from|other than|bar|but not|excluding|save)(?: for)?"
_PROPOSE: Final = (
    r"(?:recommend|suggest|propos|consider|discuss)(?:e|s|ed|ing|ation)?(?: (?:to|that|for|you|we|he|she|gp|pt"
    r"|patient|the|a|an|trial|of|about|please|possible|possibly|now)){0,4}"
)
CUES_BEFORE: Final[tuple[tuple[str, str, int], ...]] = (
    (rf"{STOP}(?: taking)? {_ALL}{_EXCEPT}", "active", 2),
    (
        (
            rf"(?:continu\w{{1,3}}|take|taking|takes|re-?start\w{{0,3}}|resum\w{{1,3}}|keep|keeps|give"
            rf"|prescribe[d]?)(?: (?:on|with|taking|to take))? {_ALL}{_EXCEPT}"
        ),
        "stopped",
        2,
    ),
    (
        # Only proposed: taken until somebody does it.
        (
            rf"{_PROPOSE} (?:{STOP}|(?:discontinuation|cessation|withdrawal|deprescription) of)(?: (?:the use of"
            rf"|taking))?"
        ),
        "active",
        3,
    ),
    (r"[\u2717\u2718\u274c]", "stopped", 0),
    (r"not on (?:(?:the|his|her|gp|repeat|current) ){0,3}(?:list|record|scr|chart|summary|system)", "active", 2),
    (
        (
            rf"(?:ask(?:s|ed|ing)?|wants to know|enquir(?:es|ed|ing)) (?:if|whether)(?:(?: \w+){{0,5}}? {TAKE}"
            rf"|(?= [\w-]{{3,20}} (?:can|could|is|was|would|should|may|needed|ok|safe)\b))"
        ),
        "negated",
        1,
    ),
    (
        (
            r"(?:pa|prior auth(?:ori[sz]ation)?|funding|insurance|approval)(?: request)? (?:was "
            r"|has been )?(?:denied|declined|refused|rejected|not approved) for"
        ),
        "negated",
        1,
    ),
    (
        (
            rf"(?:do|does|did|should|would|must|will|can|could|has|have|had)(?: {NOT}|n['\u2019]t) (?:{STOP}|skip"
            rf"|miss|forget)(?: {TAKE})?|(?:instead of|rather than|without|never|before|against) (?:stopp|discontinu"
            rf"|ceas|withhold|paus)\w+|(?:no (?:need|reason|plans?|intention) to|not to|need not) {STOP}"
        ),
        "active",
        2,
    ),
    (r"not only(?: on)?|without (?:missing|interruption)", "active", 2),
    (
        (
            r"(?:no|without(?: any)?) (?:\w+ )?(?:changes?|rash(?:es)?|bleeding|wheeze|itch(?:ing)?|swelling"
            r"|side[\s-]effects?|issues?|problems?|difficult(?:y|ies)|complaints?|relief|improvement|response"
            r"|benefit|reactions?|trouble|doubt|need for dose change)(?: (?:in|to|with|from|on|of|for))?"
        ),
        "active",
        2,
    ),
    (
        (
            r"not (?:\w+ )?(?:controlled|relieved|improv(?:ed|ing|e)|respond(?:ed|ing)?|helped|settled"
            r"|settling) (?:on|by|with|to|despite)"
        ),
        "active",
        2,
    ),
    (
        (
            rf"(?:no|not|nil|denies|denied|without)(?: (?:an?|known|any|prior|history of|drug|medication|true"
            rf"|is)){{0,4}} (?:{ALLERGY}|reactions?|sensitivity) to"
        ),
        "negated!",
        3,
    ),
    (
        (
            r"(?:nkda|nka|no known (?:drug )?allergies|nil known(?: (?:drug )?allergies)?|no(?: drug)? allergies"
            r"|allerg(?:y|ies|ic)(?: to)?:?\s{0,8}(?:all|everything|nil|none|no))(?: \w+)?,?(?: \(?|-\s?)(?:except"
            r"|apart from|other than|but)(?: for)?"
        ),
        "allergy!",
        2,
    ),
    (rf"not (?:an? |true |drug )?{ALLERGY}(?: to)?:?", "active!", 3),
    (r"(?:not|denies being|no longer) (?:known to be |thought to be )?allergic to", "negated!", 2),
    (
        rf"(?:did|does|could|can|do)(?: {NOT}|n['\u2019]t|not) tolerat(?:e|ing)|(?:un|not )able to tolerate",
        "allergy!",
        2,
    ),
    (r"tolerat(?:es?|ed|ing)", "active", 2),
    (
        (
            rf"(?:(?:do|should|must|will|would|to|has|have|had|was|were)(?: {NOT}|n['\u2019]t)(?: be)?"
            rf"|not to(?: be)?) (?:restart(?:ed)?|resum(?:e|ed)|re-?commence[d]?|re-?start(?:ed)?|continued?)"
        ),
        "stopped",
        2,
    ),
    (
        (
            r"(?:no longer|not? (?:more|further)|not .{0,12}any\s?more)(?: (?:tak\w+|us\w+|on|need\w*|requir\w+"
            r"|prescribed|receiv\w+)){0,3}|(?:has|have|had)(?: not|n['\u2019]t) (?:re-?)?(?:ordered|requested"
            r"|renewed)"
        ),
        "stopped",
        1,
    ),
    (
        (
            rf"used to (?:{TAKE}|be on)|(?:formerly|previously|prev\.?|was once|once|was previously"
            rf"|in the past) (?:been )?(?:on|{TAKE}|treated with|prescribed|tried)|had been (?:maintained"
            rf"|established|managed|stabili[sz]ed|stable|treated|prescribed) (?:on|with)|(?:had been|(?:he|she"
            rf"|patient|pt|who) was|was) (?:on|taking|using)|previously(?: tried)?|(?:past|adequate|unsuccessful"
            rf"|failed|prior|earlier) (?:use|trials?|courses?) of|history of (?=\w+ use)|failed(?: on| with)?"
            rf"|(?:did(?: not|n['\u2019]t)|failed to) respond to|g[ai]ven? up(?: taking| on)?|(?:has |have "
            rf"|had )?(?:tried|trialled)|(?:un|not )able to get on with|(?:could|did|can|does)(?: not"
            rf"|n['\u2019]t) get on with|ran out of|run out of"
        ),
        "stopped",
        1,
    ),
    (
        (
            rf"(?=[acdhimnsw])(?:(?:is|are|was|were|has|have|had|does|do|did|should|could|would|will|can|must|may|ca"
            rf"|wo)\s?)?(?:{NOT}|cannot)(?: (?:to|be|been|being|currently|presently|now|yet|any|ever|had|have|having"
            rf"|regularly|recently|actually|also|formally)){{0,4}} (?:{TAKE}(?: (?:(?:his|her|their|the"
            rf"|any) )?prescribed)?|had|accept|pick(?:ed)? up|fill|collect(?:ed)?|get|obtain|discharged on|on"
            rf"|entertain|contemplate|consider|issue|dispense|supply|offer|administer|add|buy|for|{START}|(?:want"
            rf"|wish|like)(?: to (?:take|start|have|try|continue))?|keen(?: on| to (?:take|start|have|try))?"
            rf"|willing to (?:take|start|have|try)|indicated|give|prescribe|recommend(?:ed|ing)?|in favour of"
            rf"|suitable for|advis(?:e|ed)|for|need(?:ing)?|requir(?:e|ing)|tak(?:e|ing))"
        ),
        "negated",
        3,
    ),
    (
        (
            r"await(?:s|ing)(?: (?:approval|funding|start|supply) (?:for|of))?|(?:yet|still) to (?:start|begin"
            r"|commence|collect)|hasn['\u2019]t started|(?:never|not) got a?round to(?: (?:taking|starting|trying))?"
        ),
        "negated",
        2,
    ),
    (rf"den(?:ies|ied|ying)(?: (?:\w+ ){{0,4}}?(?:{TAKE}|use of))?", "negated", 12),
    (
        (
            r"declin(?:es|ed|ing|e)|refus(?:es|ed|ing|e)|avoid(?:s|ed|ing|ance of)?|contra-?indicat\w*|(?:stay(?:s"
            r"|ed|ing)?|steer|keep) (?:well )?(?:away|clear|off)(?: (?:from|of))?|reluctant to (?:take|start|try)"
            r"|unwilling to (?:take|start|try)|(?:would|prefers?|rather) not(?: to)? (?:take|have|start|try)"
            r"|decid(?:ed|ing) against|against(?: (?:using|taking|starting|the use of|giving|any))?|opted (?:against"
            r"|out of)|h[eo]ld(?:ing)? off(?: on)?(?: (?:start|add|giv|prescrib)ing)?|no (?:need|role|indication"
            r"|place|plans?|requirement|point) (?:for|of|in|to (?:start|take|give|use))|counselled against"
            r"|precludes?"
        ),
        "negated",
        3,
    ),
    (
        (
            r"(?:to |will |we |i |and |please |could |would |may |might |should )?(?:also )?(?:consider(?:s|ed|ing"
            r"|ation(?: (?:was|has been|is) given to)?)?|discuss(?:ed|ing)?)(?: (?:re-?)?(?:start\w*|add\w*"
            r"|switch\w*|chang\w*|giv\w*|us\w*|try\w*|trial\w*|of|for|about|introduc\w*|commenc\w*|with|to"
            r"|pros and cons|a trial|trial|the|options?|role|possibility|putting)){0,4}|may (?:benefit from|need"
            r"|require)|(?:could|might|would)(?: (?:also|well|then|always|need to|be able to"
            r"|want to)){0,2} (?:benefit from|need|require|try|add|start|use|want|like|be suitable for|switch to"
            r"|move to|trial|have)|talk(?:ed|ing) (?:about|through)|offer(?:ed|s|ing)?|options?(?::| (?:of"
            r"|include[sd]?:?|would be|are|is|being))|think(?:ing)? (?:about|of)(?: (?:add|start|try|switch"
            r"|us)\w{1,6})?|wonder(?:ed|ing)? (?:about|whether|if)|\?\s?(?:start|add|for|try|switch(?: to)?|needs?"
            r"|trial of|role for)|if [^.;\n]{0,60}?(?:then |we |i |would |could |to |please |, ){1,3}(?:start|add"
            r"|try|give|switch to|use|commence|begin)|candidates? for|eligible for|suitable for|ask(?:s|ed"
            r"|ing)? (?:for|about)(?! (?:his|her|their|the|my)\b)|requesting|wants to (?:try|start)|for possible"
            r"|possible|potential(?:ly)?(?: start\w*)?|in future,?"
        ),
        "negated",
        2,
    ),
    (r"instead of|rather than|in place of|in lieu of", "negated", 0),
    (r"no (?:previous|prior|past) (?:trials?|use|exposure|treatment|courses?)(?: (?:of|to|with))?", "negated", 2),
    (rf"never (?:been )?(?:on|had|{TAKE}|{START})", "negated", 2),
    (r"no|nil|without|neither|nor", "negated", 2),
    (r"not(?! (?:only|with|on|to|as|by|yet|sure|just|because|when|if|for)\b)", "negated", 0),
    (
        (
            rf"(?:switch(?:ed|ing)?|chang(?:ed|ing|e)|transition(?:ed|ing)?|convert(?:ed|ing)?|swap(?:ped)?|mov(?:ed"
            rf"|ing)|rotat(?:ed|ing)|cross-?(?:titrat|taper)(?:ed|ing)){HERS} (?:over )?from"
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
        (r"replac(?:es?|ed|ing)|narrow(?:ed|ing)?|(?:de-?)?escalat(?:e|ed|ing)|in exchange for|exchang(?:e|ed|ing)"),
        "stopped",
        1,
    ),
    (
        rf"(?:switch|chang|transition|convert|swap|substitut|mov|rotat|step)(?:p?ed|p?ing|es?|s)?{HERS}(?: down)?",
        "exchanged",
        2,
    ),
    (
        (
            r"previous(?! (?:mi|cva|stroke|tia|pe|dvt|vte|af|nstemi|stemi|history|medical|surgical|surgery|episodes?"
            r"|admissions?|cancer|cabg|pci|stents?|fractures?|smoker|dose|attacks?|bleed|seizures?"
            r"|dr?ug)\b)(?:(?: failed)? (?:use|trials?|treatment|therapy|exposure) (?:of|with|to))?"
        ),
        "stopped",
        1,
    ),
    (r"to|with|by|for|onto", "switched", 0),
    (
        (
            rf"(?:taken|taking|wean(?:ed|ing)?|taper(?:ed|ing)?|come|came|coming|gone|went|stay(?:ing|ed)?|been|now"
            rf"|is){HERS} off(?: of)?|off(?: of)?(?! (?:the|by|work|sick))"
        ),
        "stopped",
        1,
    ),
    (
        (
            r"(?:complet(?:ed|es|ing)(?! (?:the |his |her )?(?:forms?|paperwork))|finish(?:ed|es|ing))(?: (?:a|an"
            r"|the|his|her|their|full|\S{1,8}[\s-]days?|\S{1,8}[\s-]weeks?|\d/\d{1,2}|short|long|first"
            r"|second)){0,4}(?: courses?(?: of)?| of)?|(?:status )?post[\s-]courses? of"
        ),
        "stopped",
        2,
    ),
    (
        (
            rf"(?:{STOP}|skip|miss out|cut(?:ting)? out|cancel(?:led|s|ling)?|threw (?:away|out)|thrown away"
            rf"|bin(?=ned|s|\b)|dispose of|binned){HERS}(?! (?:after|with|since|once|when|following|smoking"
            rf"|drinking)\b)(?: (?:{TAKE}|giving|treatment with|the use of|of))?|(?:discontinuation|cessation"
            rf"|withdrawal|stoppage|omission|suspension) of|wean(?:ed|ing)?(?: down)?(?= and stop)"
        ),
        "stopped",
        3,
    ),
    (
        (
            rf"(?=[abhiknprs])(?:known )?(?:severe(?:ly)? )?(?<!fever\s)(?<!nut\s)(?<!food\s)(?<!egg\s)(?<!pollen\s)"
            rf"(?<!milk\s)(?<!seasonal\s)(?!\w+ (?:clinic|service|testing|nurse|specialist|season"
            rf"|symptoms))(?:(?:allergic|anaphylactic)(?: (?:reactions?|to|with))?(?: to)?:?|{ALLERGY}(?: (?:to|of"
            rf"|with|includ(?:e|es|ing)|are|is|status|label)){{0,2}}:?|intolerant (?:of|to)|known sensitivity to"
            rf"|react(?:ed|s) (?:badly )?to|(?:bad |previous |nasty |severe )?reactions? (?:\w+ ){{0,4}}?(?:to|of"
            rf"|with|from))"
        ),
        "allergy!",
        3,
    ),
    (
        (
            r"cough (?:with|on|from|on starting|due to|secondary to|2/2)(?= (?:ace|\w+pril\b))|(?:myalgia"
            r"|muscle (?:pains?|aches?)|rhabdo\w*|raised ck) (?:with|on|from|due to)(?= (?:statin|\w+statins?\b))"
        ),
        "allergy!",
        0,
    ),
    (rf"{REACTION} (?:to|with|from|after|on|following|secondary to)(?: (?:{TAKE}|receiving))?", "allergy!", 2),
    (
        (
            r"(?:had|after|following|received|despite|previous|recent|was given|been given|(?:was"
            r"|been) treated with)(?: (?:a|an|the|two|three|several|multiple|short|long|recent|first|second"
            r"|\d{1,2}[\s-]days?|\w{1,9}[\s-]days?|\d{1,2}[\s-]weeks?|oral|iv)){0,4} courses? of"
        ),
        "stopped",
        2,
    ),
    (
        (
            r"prescri(?:bed?|bes|bing|ption for)|administer(?:ed|ing)?|refill(?:s|ed)?(?: (?:of|for))?|dos(?:e"
            r"|es) of|rx:?"
        ),
        "active!",
        1,
    ),
    (
        (
            r"(?:treated|managed|treatment|therapy|maintained|loaded|controlled|anticoagulated|stabili[sz]ed"
            r"|established|covered) (?:with|on)|courses? of"
        ),
        "active!",
        3,
    ),
    (
        (
            r"(?:home |current |daily |usual |regular )?(?:medications?|medicines|meds)(?: (?:include[sd]?|including"
            r"|are|is|of|such as|were|list|incl)){0,2}\.?:?"
        ),
        "active!~",
        4,
    ),
    (
        (
            r"(?:re-?)?start(?:s|ed|ing)?(?: (?:on|taking|back on))?|(?:re-?)?commenc(?:e|ed|es|ing)(?: on)?"
            r"|accept(?:s|ed|ing)|begin(?:s|ning)?|began|begun|initiat(?:e|ed|ing)|resum(?:e|ed|ing)|introduc(?:e|ed"
            r"|ing)|back on|now on|currently on|remains? on|still (?:on|taking)|swapped onto"
        ),
        "active",
        3,
    ),
    (
        (
            r"continu(?:e|es|ed|ing)(?: (?:on|to take|taking|with))?|incr|decr|increas(?:e|ed|ing)|decreas(?:e|ed"
            r"|ing)|reduc(?:e|ed|ing)|(?:up|down)?-?titrat(?:e|ed|ing)|maintain(?:ed)?(?: on)?"
        ),
        "active",
        2,
    ),
    (rf"(?<!or\s){TAKE}", "active", 2),
    (r"on|now|given|giv(?:e|es|ing)|gave|add(?:ed|ing)?|bought|buys", "active", 0),
    (
        (r"requir(?:es|ed|ing)|trial of|apply|inject(?:s|ed)?|inhal(?:e|es)|needs?|uses|using|instil(?:l)?"),
        "active",
        2,
    ),
)

"""What says something of the drugs named before it: "was stopped", "declined", "caused a rash".

A line of the table is a pattern, what it says ("!": it is said of medicines only; "~": it counts only where nothing
else does), and how many other words may stand between the cue and the name. Of two cues at one place the first line
counts. A space in a pattern stands for any white space; the text is in small letters.
"""

from typing import Final

from workers.clinical.cue_words import BE, MONTH, NOT, REACTION, START, STOP, TAKE

_FIRM: Final = r"(?:\w+ly |all |both |then |now |since |already |recently |again ){0,2}"
_GOES_ON: Final = r"(?:so|but|and|hence|as) (?:(?:he|she|they|i|we|pt|patient|mum|mom|has|have|had) ){0,3}"
"""What a clause starts with that goes on about the drug before it."""
CUES_AFTER: Final[tuple[tuple[str, str, int], ...]] = (
    (
        (
            rf"(?=[abhns])(?:{_GOES_ON})?{NOT} (?:been )?(?:(?:tak(?:ing|en)|us(?:ed|ing))(?: (?:it|this|any))?"
            rf"|(?:had|given) any) (?:since|x\s?\d|any\s?more|(?:for|in) (?:the )?(?:last|past|over|several|many"
            rf"|some|months|years|\w+ (?:days|weeks|months|years)))|(?:on )?(?:h[eo]ld|withh[eo]ld|w/h|pause[d]?"
            rf"|suspend(?:ed)?|omit(?:ted)?)(?: it)?(?= (?:until|whil(?:e|st)|pending))"
        ),
        "stopped",
        10,
    ),
    (rf"(?:{BE} )?(?:{NOT}|never)(?: (?:to|be|been)){{0,2}} {STOP}", "active", 0),
    (
        (
            r"(?:but |so |and |hence )?(?:has |have |had |was |were )?(?:never|not) (?:(?:filled|picked|collected"
            r"|took|dispensed)(?: it| up)?|started|taken)\b|(?:[,;\u2013\u2014-]\s?|but )(?:pt |patient |but "
            r"|currently |has |does |do |admits |reports |says |states |is |was |he |she ){0,3}(?:not|(?:does"
            r"|do)n['\u2019]t) (?:currently |been )?(?:taking|using|take|use)(?: (?:it|this|them|these"
            r"|any))?(?=\s{0,3}(?:[.,;:)|\n]|$))|(?:kept|held) in reserve|not safe\b"
        ),
        "negated",
        10,
    ),
    (
        (
            rf"(?:continue[d]?|prescribed|ordered|charted|resume[d]?|re-?started)(?: (?:on"
            rf"|at) \w{{1,12}})?\s?[?:]\s?(?:no?|[\u2717\u2718\u274c])(?=\s{{0,3}}(?:[.,;:)(|\n\u2013\u2014-]|$))"
            rf"|[\u2717\u2718\u274c](?!\s?[^\W\d_])|(?:->|=>|[\u2192\u21d2])\s?(?:nil|none|off|zero|0(?!\s?[\d.m])"
            rf"|{STOP}|complete[d]?)(?=\s{{0,3}}(?:[.,;:)(|\n]|$))|(?:{STOP}) (?:taking|using)(?: (?:it|this"
            rf"|them))?(?= (?:in|on|since|because|due|last|after|as|about|around|over|\d|an?|two|three|few|several"
            rf"|himself|herself)\b|\s{{0,3}}(?:[.,;)|\n]|$))|not for re-?start(?:ing)?|not (?:for"
            rf"|on) (?:the )?(?:tt[ao]s?|discharge)\b|(?:has |have )?agreed to (?:stop|cease|come off"
            rf"|discontinue)(?: (?:it|them|this))?(?=\s{{0,3}}(?:[.,;)|\n]|$))"
        ),
        "stopped",
        10,
    ),
    (
        (
            r"(?:still |currently )?(?:taking|using|given)(?: (?:it|now))?\s?[?:]\s?(?:no?"
            r"|[\u2717\u2718\u274c])(?=\s{0,3}(?:[.,;:)(|\n\u2013\u2014-]|$))"
        ),
        "negated",
        10,
    ),
    (
        (
            rf"(?:(?:{BE}|should|must|will|would|do|to) )?(?:{NOT}|cannot)(?: (?:be|to be"
            rf"|been)){{0,2}} (?:restart(?:ed)?|resumed|re-?commenced|continued|to continue|be continued)"
        ),
        "stopped",
        2,
    ),
    (
        (
            rf"(?:(?:{BE}|do|does|did|has|have|had|could|can|should|must|will|may|would) )?(?:{NOT}|cannot"
            rf"|never)(?: (?:be|been|to be|currently|being|yet)){{0,3}} (?:{TAKE}|{START}|(?:clinically )?indicated"
            rf"|on board|recommended|suitable|appropriate|advised|administered|used|commenced|initiated|keen|wanted"
            rf"|for (?:this|her|him)|an option|collected|dispensed|necessary)(?! (?:this (?:week|month)|so far"
            rf"|lately|recently))"
        ),
        "negated",
        2,
    ),
    (
        rf"(?:{BE} |poorly |was poorly )?(?:{NOT} |badly |poorly )tolerated|could {NOT} be tolerated",
        "allergy!",
        10,
    ),
    (r"(?:allergy|label) (?:was )?(?:removed|de-?labelled|refuted|excluded|ruled out|disproved)", "negated!", 0),
    (
        (
            r"(?:to )?(?:->|=>|\u2192|\u21d2)\s?(?:avoid(?:ed)?|do not (?:give|use|prescribe))"
            r"|avoid(?=\W{0,3}(?:anaph|rash|allerg))"
        ),
        "allergy!",
        0,
    ),
    (
        (
            rf"{BE} (?:\w+ly )?(?:contra-?indicated|avoided|declined|refused|denied|offered|discussed|considered"
            rf"|mentioned|deferred|kept in reserve)|(?:contra-?indicated|declined|refused|offered|considered"
            rf"|discussed|avoided|deferred)\b(?! (?:to|the|for pain|by mouth|po|oral|iv|im)\b)"
            rf"|(?:[:\u2013\u2014-]\s?)(?:denies|denied|none|no|nil)(?=\s{{0,4}}(?:[.,;|)\n]|$))|(?:could|may|might"
            rf"|can|would|to)(?: \w+)? be (?:\w+ )?(?:considered|added|tried|started|offered|an option|needed|used"
            rf"|useful|helpful|appropriate|reasonable|the next|introduced|required|suitable|avoided|discussed)"
            rf"|would(?: \w+)? be(?: an?| the| our| my)?(?: \w+)? (?:option|next step|alternative|choice"
            rf"|consideration)|be an option|(?:as )?an? (?:option|alternative)\b|would be the next"
            rf"|if (?:no (?:(?:further|real|clear|good) )?(?:better|improvement|response)|this fails|not (?:settling"
            rf"|better|improving))|suggested instead|no (?:role|indication|need|place|longer an option)\b"
        ),
        "negated",
        1,
    ),
    (
        (
            rf"(?=[antw])(?:(?:told|advised|warned|asked) )?{NOT} to (?:use|take|have|give|start) (?:it|them|this"
            rf"|these|any)\b|(?=[wpth])(?:wants? |prefers? )?(?:to )?hold(?:ing)? off(?= (?:for|at|until)|\s?[.,;)]"
            rf"|\s*$)|(?:which )?(?:she|he|they) (?:(?:will|would like to|wants? to) (?:think|consider)|would rather"
            rf"|(?:is|are) not keen|prefers? not)|(?:may|might) (?:want|like|wish) to (?:try|have|start)"
            rf"|only if (?:\w+ ){{1,3}}(?:<|>|falls?|below|above|rises?|drops?|fails?|recurs?|worsens?|no )"
        ),
        "negated",
        10,
    ),
    (
        (
            rf"(?:has |have )?(?:{NOT}|n['\u2019]t) (?:been )?(?:ordered|renewed|requested|re-?prescribed"
            rf"|re-?ordered|collected|refilled|issued)(?: (?:it|this|since|for|in|again)\b|(?=[.,;)|]|\s*$))"
            rf"|not on (?:the )?repeat|lapse[ds]?|last (?:issued"
            rf"|prescribed) (?:in )?(?:\w{{3,9}} )?(?:\d{{1,2}}/){{0,2}}(?:19|20)?\d\d|(?:none|nil|not(?: taken| had"
            rf"| used)?(?: any)?) since|nil further|none further|until (?:(?:19|20)\d\d|(?:disease )?progression"
            rf"|relapse|\d\d?/(?:7|52|12) ago|\w+ (?:years?|months?|weeks?) ago)|off (?:the |his |her "
            rf"|their )?(?:repeats?|list|template|prescription|record|dosette|blister|webster)\b"
            rf"|no further (?:supply|supplies|courses?|scripts?|prescriptions?)\b|(?:has|have"
            rf"|had) g[ai]ven up(?=[.,;)]|\s*$)|could(?: not|n['\u2019]t) (?:stomach|face|bear|stand) (?:it|them"
            rf"|this)|drug holiday|treatment break|inactive\b|(?<=\S)~~(?!\w)"
        ),
        "stopped",
        10,
    ),
    (
        (
            r"(?:(?:to|for|will|can|should|plan(?:ned)? to|aim to|please|due to) )?(?:be )?(?:re-?start(?:ed)?"
            r"|resumed?|re-?commenced?|re-?introduced?)(?: (?:it|this))?(?= (?:(?:on )?(?:mon|tue|wed|thu|fri|sat"
            r"|sun)|on \d|(?<!ed\s)d(?:ay )?\d|tomorrow|next|in (?:an?|one|two|three|\d)|when|once|if|after|post"
            r"|following|pending|only))"
        ),
        "stopped",
        10,
    ),
    (
        (
            rf"(?:in|during) {MONTH},?(?: (?:19|20)\d\d)? for \w{{1,8}} (?:days?|weeks?|months?)"
            rf"|for \w{{1,8}} (?:days?|weeks?|months?|years?) (?:in|during|last) (?:(?:early |late )?(?:19|20)\d\d"
            rf"|{MONTH}|year|month|week|spring|summer|autumn|winter)|(?:from )?(?:19|20)\d\d\s?(?:-|\u2013|to"
            rf"|until)\s?(?:(?:19|20)\d\d|\d\d(?=\)))"
        ),
        "stopped",
        1,
    ),
    (r"(?:was |were )?(?:suggested|proposed)(?= (?:to|as|for|by|if|at)\b|\s?[.,;(])", "negated", 0),
    (r"before (?:that|this|then)\b|prior to (?:that|this)\b|beforehand", "stopped", 0),
    (
        (
            r"avoid(?=\s?(?:[.,;(\u2013\u2014-]|$))|not for(?=\s?[.,;(])|not (?:funded|available"
            r"|on (?:the )?formulary)|unavailable|no longer available|not for (?:now|the moment)|not at (?:present"
            r"|this time)"
        ),
        "negated",
        1,
    ),
    (
        (
            rf"(?:[,;:\u2013\u2014-]\s?(?:(?:now|since|so|has|was|been|patient|pt|he|she|gp|wife|family|reports?"
            rf"|says?|states?|self|that|by) ){{0,5}}|(?:and|so|but|hence|therefore) (?:(?:was|is|has|this|it|been|i"
            rf"|she|he|they|now) ){{0,3}})(?:{STOP}|on hold|finished|completed?|ended|binned|come off)(?: (?:today"
            rf"|tonight|now|from today))?(?=\s{{0,3}}(?:[.;)|\n]|$)| (?:by|since|due to|because|last|in (?:{MONTH}"
            rf"|(?:19|20)\d\d)|\d\d?/\d)\b)|and (?:was |then |has been )?(?:replaced|switched|changed|swapped"
            rf"|substituted) (?:with|by|to|for)|\(\d\d?/\d\d?(?:/\d\d)?\s?[-\u2013]\s?\d\d?/\d\d?|(?:took|taken"
            rf"|take) (?:him|her|me|them) off(?: (?:this|it|them))?|(?:is|am|was|been|came|come|now|gone) off (?:it"
            rf"|this|these|them)\b|(?:swapped|switched|changed|replaced|substituted) (?:it|this|these|them) (?:for"
            rf"|with|to|by)|please (?:take (?:it |this )?off|remove(?: (?:it|this|from)\b|(?=[.,;)]|\s*$)))"
            rf"|[\u2013\u2014-]\s?[\"\u201c']?no more(?: of (?:those|these|it|that|them|this))?(?=[\"\u201d'.,;)|]"
            rf"|\s*$| (?:please|per|until|for now))|which (?:(?!{STOP})\w+ ){{1,4}}(?:{STOP})"
        ),
        "stopped",
        10,
    ),
    (
        r"[:,>\u2013\u2014-]\s?(?:(?:please|told to|advised to|to|must|should) )?avoid\b(?! (?:\w+ing|the|contact))",
        "negated",
        10,
    ),
    (
        (
            rf"(?:(?:which|that) )?(?:caus(?:es|ed|ing)|g[ai]ve(?:s|n)?|brought (?:him|her|me) out in|produced"
            rf"|led to|resulted in|with\b|\u2192|->|=>|[:(\u2013\u2014-])(?:\s?(?:him|her|them|me|a|an|severe|mild"
            rf"|moderate|bad|nasty|widespread|generali[sz]ed|past|previous|known|\?)){{0,3}}\s?{REACTION}"
            rf"|do not re-?challenge|upsets? (?:his|her|my|the) (?:stomach|tummy)|(?:brings?|brought|comes?"
            rf"|came) (?:(?:him|her|me|them) )?(?:up |out )(?:in|with) (?:an? )?(?:{REACTION}|hives)|(?:triggers?"
            rf"|triggered|exacerbates?|exacerbated|sets? off) (?:his|her|the|an?) (?:\w+ )?(?:asthma|attack"
            rf"|bronchospasm|wheeze)|could(?: not|n['\u2019]t) (?:tolerate|take it)|did(?: not"
            rf"|n['\u2019]t) (?:tolerate|agree with)|(?=[phstim])(?:(?:pt|patient|he|she|they) (?:says|reports"
            rf"|states|found|finds|feels) )?(?:that )?(?:it )?makes? (?:him|her|me) (?:sick|ill|vomit|unwell"
            rf"|nauseous|drowsy|itch\w{{0,3}})|(?:adverse |allergic |severe |bad )?reaction\b(?! to)|causes (?:him "
            rf"|her |me )?(?:\w+ )?(?:hallucinations|nausea|vomiting|confusion|wheeze)|[\s-]induced (?:rash|angio"
            rf"|anaph|hepat|pancrea)"
        ),
        "allergy!",
        0,
    ),
    (r"(?:was |were |been )?(?:tried|trialled)\b", "stopped", 0),
    (r"no longer (?:needed|required|prescribed|indicated|taken|takes|taking|on it|uses|using)", "stopped", 10),
    (
        (
            rf"(?:{BE}|has) {_FIRM}(?:{STOP}|on hold|dropped|completed|finished|(?<!being\s)tapered(?: off)?"
            rf"|(?<!being\s)weaned(?: off)?|switched|(?<!has\s)replaced|removed|changed to|ended)"
        ),
        "stopped",
        4,
    ),
    (
        (
            rf"(?=[abcdghilopqrstw])(?:and |but |so |then )?(?:(?:told|advised|asked|instructed"
            rf"|agreed) )?(?:to )?(?:i |we |he |she |they )?(?:have |has |had )?(?:(?:bin(?:ned)?|drop(?:ped)?"
            rf"|ditch(?:ed)?) (?:it|this|them)|(?:{STOP}) (?:it|this|them|these|both|herself|himself|themselves)"
            rf"|g[ai]ven? (?:it|this|them) up)\b"
        ),
        "stopped",
        10,
    ),
    (
        # Without "was" it must not have an object of its own ("takes aspirin, stopped smoking").
        (
            rf"(?:now |since |recently |still |temporarily |all |both |to )?(?:{STOP}|on hold)(?! (?:(?!pending"
            rf"|awaiting|following|owing|during)\w+ing|the|his|her|their|all(?! (?:admission|week|day|stay))|any|my"
            rf"|your)\b)(?!(?:(?<=[^d])|(?<=hold)) (?:if|when|until|once)\b)(?!\w)"
        ),
        "stopped",
        1,
    ),
    (
        (
            rf"(?=[;bcdenrs])(?:; (?:please |to |so |plan )?)?(?:now |since |been )?(?:switch(?:ed)?|change[d]?"
            rf"|swap(?:ped)?|convert(?:ed)?|replaced|substituted|rotated|stepped down|escalated|de-?escalated"
            rf"|narrowed|superseded)(?: over)? (?:to|for|by|with)(?! \d)|(?:course|treatment"
            rf"|therapy) (?:now )?(?:complete[d]?|finished|ended)|(?<!to\s)complete[d]?\b(?! (?:a|the)\b)"
            rf"|c[ao]me to an end|r[au]n its course|finished\b(?! (?:a|the)\b)|ended\b|expired|crossed (?:off|out)"
            rf"|deleted|struck (?:off|out)|removed from|ran out|run out|(?:weaned|tapered|come|came|taken|is|now"
            rf"|been|remains?|stays?|kept|still|stay|keep|remain|leave|left) off|days? done\b|weeks? done\b"
            rf"|doses done\b|course done\b|x?\d\d?/7 done\b|(?:to|can|should|must|now) be (?:removed|taken off)"
            rf"|off(?=\s?\(| since| until| pending| at present| for now|[,.;)]|\s*$)|no longer(?: {TAKE}| on| needed"
            rf"| required| prescribed| indicated)?|in (?:his|her|their) (?:teens|twenties|thirties|forties|fifties)"
            rf"|in the past|previously|formerly|at one time|historically|until (?:\d{{4}}|(?:january|february|march"
            rf"|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct"
            rf"|nov|dec)\b(?! (?:\d{{4}} )?(?:and )?then\b)|last|recently|(?:her|his|the) (?:pregnancy|admission"
            rf"|diagnosis|operation|surgery)|\w+ (?:years?|months?|weeks?) ago|this admission)|(?:in|during"
            rf"|for \w+ \w+ in) (?:19|20)\d\d(?= (?:caused|made|gave|with(?:out)? (?:benefit|effect)|no (?:benefit"
            rf"|effect|help)|but|did|failed))|(?:caused|made (?:him|her|them|me)|did(?: not|n['\u2019]t) (?:help"
            rf"|work|suit|touch|do (?:much|anything))|no (?:benefit|effect)\b|ineffective|(?:made "
            rf"|has made )?no difference|(?:(?:was |were |of )?(?:little|no|of no|limited) (?:use|help|avail|good"
            rf"|help)\b)|unhelpful|unsuccessful(?:ly)?|(?:lost|losing) (?:its|their) effect|(?:stopped"
            rf"|no longer) work(?:ing|ed|s)|(?:could(?: not|n['\u2019]t)|was unable to|unable to) (?:continue"
            rf"|get on with|manage|persist)|did(?: not|n['\u2019]t) get on with|(?:secondary )?loss of response"
            rf"|lost response|failed\b|without (?:any |much )?(?:benefit|effect|success))"
        ),
        "stopped",
        1,
    ),
    (
        (
            r"[\s-]?allerg(?:y|ies|ic(?! (?:to|rhinitis)))|[\s-]?(?:hyper-?sensitivity|intoleran(?:ce|t)"
            r"|anaphylaxis)|allergic reaction"
        ),
        "allergy!",
        0,
    ),
    (
        (
            rf"{BE} {_FIRM}(?:(?:re-?)?started|(?:re-?)?commenced|continued|resumed|increased|decreased|reduced"
            rf"|prescribed|given|added|administered|initiated|titrated|tolerated)(?! on)"
        ),
        "active",
        0,
    ),
    (
        (
            r"(?:(?:re-?)?started|(?:re-?)?commenced|continued|resumed|increased|decreased|reduced|added|continue"
            r"|given|unchanged|continues|ok|okay|fine|safe|to continue|tolerated)(?=[.,;)|]|\s*$| (?:at|to|today|by"
            r"|from|unchanged)\b)"
        ),
        "active",
        0,
    ),
    (r"(?:therapy|treatment|prescription|tablets?|capsules?|pills?|injections?)\b", "active~", 0),
)

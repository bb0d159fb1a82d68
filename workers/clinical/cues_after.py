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
            rf"(?:{_GOES_ON})?{NOT} (?:been )?(?:(?:tak(?:ing|en)|us(?:ed|ing))(?: (?:it|this|any))?|(?:had"
            rf"|given) any)"
            rf" (?:since|x\s?\d|any\s?more|(?:for"
            rf"|in) (?:the )?(?:last|past|over"
            r"|several|many|some|months|years|\w+ (?:days|weeks|months|years)))|(?:on )?(?:h[eo]ld|withh[eo]ld"
            r"|w/h|pause[d]?|suspend(?:ed)?"
            r"|omit(?:ted)?)(?: it)?(?= (?:until|whil(?:e|st)|pending))"
        ),
        "stopped",
        10,
    ),
    (rf"(?:{BE} )?(?:{NOT}|never)(?: (?:to|be|been)){{0,2}} {STOP}", "active", 0),
    (
        (
            r"(?:but |so |and |hence )?(?:has |have |had |was |were )?(?:never|not) (?:(?:filled|picked|collected"
            r"|took"
            r"|dispensed)(?: it| up)?|started|taken)\b|(?:[,;\u2013-]\s?|but )(?:pt |patient |but |currently |has "
            r"|does |do ){0,2}(?:not|(?:does|do)n['\u2019]t)"
            r" (?:currently |been )?(?:taking|using|take|use)(?: (?:it|this|them|these"
            r"|any))?(?=\s{0,3}(?:[.,;:)|\n]|$))|(?:kept|held) in reserve|not safe\b"
        ),
        "negated",
        10,
    ),
    (
        (
            rf"(?:continue[d]?|prescribed|ordered|charted|resume[d]?|re-?started)(?: (?:on|at) \w{{1,12}})?\s?[?:]\s?"
            r"(?:no?|[\u2717\u2718\u274c])(?=\s{0,3}(?:[.,;:)(|\n\u2013-]|$))"
            rf"|[\u2717\u2718\u274c](?!\s?[^\W\d_])|(?:->|=>|[\u2192\u21d2])\s?(?:nil|none|off|zero|0(?!\s?[\d.m])"
            rf"|{STOP}|complete[d]?)(?=\s{{0,3}}(?:[.,;:)(|\n]|$))"
            rf"|(?:{STOP}) (?:taking|using)(?: (?:it|this|them))?(?= (?:in|on|since|because|due|last|after|as|about"
            rf"|around"
            r"|over|\d|an?|two|three|few|several|himself|herself)\b|\s{0,3}(?:[.,;)|\n]|$))"
            r"|not for re-?start(?:ing)?|not (?:for"
            r"|on) (?:the )?(?:tt[ao]s?|discharge)\b|(?:has |have )?agreed to (?:stop|cease|come off"
            r"|discontinue)(?: (?:it|them"
            r"|this))?"
            r"(?=\s{0,3}(?:[.,;)|\n]|$))"
        ),
        "stopped",
        10,
    ),
    (
        (
            r"(?:still |currently )?(?:taking|using|given)(?: (?:it|now))?\s?[?:]\s?"
            r"(?:no?|[\u2717\u2718\u274c])(?=\s{0,3}(?:[.,;:)(|\n\u2013-]|$))"
        ),
        "negated",
        10,
    ),
    (
        (
            rf"(?:(?:{BE}|should|must|will|would|do|to) )?(?:{NOT}|cannot)(?: (?:be|to be"
            rf"|been)){{0,2}} (?:restart(?:ed)?|resumed|re-?commenced"
            r"|continued|to continue|be continued)"
        ),
        "stopped",
        2,
    ),
    (
        (
            rf"(?:(?:{BE}|do|does|did|has|have|had|could|can|should|must|will|may|would) )?(?:{NOT}|cannot"
            rf"|never)(?: (?:be|been|to be|currently|being|yet)){{0,3}} (?:{TAKE}|{START}|(?:clinically )?indicated"
            r"|on board|recommended|suitable|appropriate|advised|administered|used|commenced|initiated|keen|wanted"
            r"|for (?:this|her|him)|an option|collected|dispensed|necessary)"
            r"(?! (?:this (?:week|month)|so far|lately|recently))"
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
            r"|deferred|kept in reserve)|(?:contra-?indicated|declined|refused|offered|considered|discussed"
            r"|avoided|deferred)\b(?! (?:to|the|for pain|by mouth))|(?:[:\u2013-]\s?)(?:denies|denied|none|no"
            rf"|nil)(?=\s{{0,4}}(?:[.,;|)\n]|$))|(?:could|may|might|can|would"
            r"|to)(?: \w+)? be (?:\w+ )?(?:considered|added|tried|started|offered|an option|needed|used|useful"
            r"|helpful|appropriate|reasonable|the next|introduced|required|suitable|avoided|discussed)"
            r"|would(?: \w+)? be(?: an?| the)? (?:option|next step|alternative|choice|consideration)|be an option"
            r"|(?:as )?an? (?:option|alternative)\b|would be the next|if (?:no (?:(?:further|real|clear"
            r"|good) )?(?:better|improvement|response)"
            r"|this fails|not (?:settling|better|improving))|suggested instead|no (?:role|indication|need|place"
            r"|longer an option)\b"
        ),
        "negated",
        1,
    ),
    (
        (
            r"(?:which )?(?:she|he|they) (?:(?:will|would like to|wants? to) (?:think|consider)|would rather|(?:is"
            r"|are) not keen|prefers? not)|only if (?:\w+ ){1,3}(?:<|>|falls?|below|above|rises?|drops?|fails?"
            r"|recurs?|worsens?|no )"
        ),
        "negated",
        10,
    ),
    (
        (
            rf"(?:has |have )?(?:{NOT}|n['\u2019]t)"
            r" (?:been )?(?:ordered|renewed|requested|re-?prescribed|re-?ordered|collected|refilled|issued)"
            r"(?: (?:it|this|since|for|in|again)\b|(?=[.,;)|]|\s*$))|not on (?:the )?repeat|lapse[ds]?"
            r"|last (?:issued|prescribed)"
            r" (?:in )?(?:\w{3,9} )?(?:\d{1,2}/){0,2}(?:19|20)?\d\d|(?:none|nil|not(?: taken| had"
            r"| used)?(?: any)?) since|nil further|none further|until (?:(?:19|20)\d\d"
            r"|\w+ (?:years?|months?|weeks?) ago)|drug holiday|treatment break|inactive\b"
            r"|(?<=\S)~~(?!\w)"
        ),
        "stopped",
        10,
    ),
    (
        (
            r"(?:(?:to|for|will|can|should|plan(?:ned)? to|aim to|please|due to) )?(?:be )?(?:re-?start(?:ed)?"
            r"|resumed?"
            r"|re-?commenced?|re-?introduced?)(?: (?:it|this))?(?= (?:(?:on )?(?:mon|tue|wed|thu|fri|sat|sun)"
            r"|on \d|tomorrow"
            r"|next|in (?:an?|one|two|three|\d)|when|once|if|after|post|following|pending|only))"
        ),
        "stopped",
        10,
    ),
    (
        (
            rf"(?:in|during) {MONTH},?(?: (?:19|20)\d\d)? for \w{{1,8}} (?:days?|weeks?|months?)|for \w{{1,8}}"
            rf" (?:days?|weeks?|months?|years?) (?:in|during|last) (?:(?:early |late )?(?:19|20)\d\d|{MONTH}"
            rf"|year|month|week|spring"
            r"|summer|autumn|winter)|(?:from )?(?:19|20)\d\d\s?(?:-|\u2013|to|until)\s?(?:(?:19|20)\d\d|\d\d(?=\)))"
        ),
        "stopped",
        1,
    ),
    (r"(?:was |were )?(?:suggested|proposed)(?= (?:to|as|for|by|if|at)\b|\s?[.,;(])", "negated", 0),
    (r"before (?:that|this|then)\b|prior to (?:that|this)\b|beforehand", "stopped", 0),
    (r"avoid(?=\s?(?:[.,;(\u2013-]|$))|not for (?:now|the moment)|not at (?:present|this time)", "negated", 1),
    (
        (
            rf"(?:[,;:\u2013-]\s?(?:(?:now|since|so|has|was|been|patient|pt|he|she|gp|wife|family|reports?"
            rf"|says?|states?|self|that|by) ){{0,5}}|(?:and|so|but|hence|therefore) (?:(?:was|is|has"
            rf"|this|it|been|i"
            rf"|she|he|they|now) ){{0,3}})(?:{STOP}|on hold)(?: (?:today|tonight|now|from today))?"
            rf"(?=\s{{0,3}}(?:[.;)|\n]|$)| (?:by|since|due to|because|last|in (?:{MONTH}|(?:19|20)\d\d)|\d\d?/\d)\b)"
            r"|and (?:was |then |has been )?(?:replaced|switched|changed|swapped|substituted) (?:with|by|to"
            r"|for)|\(\d\d?/\d\d?(?:/\d\d)?\s?[-\u2013]\s?\d\d?/\d\d?"
            r"|(?:took|taken|take) (?:him|her|me|them) off(?: (?:this|it|them))?"
            r"|(?:is|am|was|been|came|come|now|gone) off (?:it|this|these|them)\b"
            r"|(?:swapped|switched|changed|replaced|substituted) (?:it|this|these|them) (?:for|with|to|by)"
            r"|please (?:take (?:it |this )?off|remove(?: (?:it|this|from)\b|(?=[.,;)]|\s*$)))"
            r"|[\u2013-]\s?[\"\u201c']?no more(?: of (?:those|these|it|that|them|this))?"
            r"(?=[\"\u201d'.,;)|]|\s*$| (?:please|per|until|for now))"
            rf"|which (?:(?!{STOP})\w+ ){{1,4}}(?:{STOP})"
        ),
        "stopped",
        10,
    ),
    (r"[:,>\u2013-]\s?(?:please )?avoid\b(?! (?:\w+ing|the|contact))", "negated", 10),
    (
        (
            r"(?:(?:which|that) )?(?:caus(?:es|ed|ing)|g[ai]ve(?:s|n)?|brought (?:him|her|me) out in|produced"
            r"|led to|resulted in|with\b|\u2192|->|=>|[:(\u2013-])(?:\s?(?:him|her|them|me|a|an|severe|mild|moderate"
            rf"|bad|nasty|widespread|generali[sz]ed|past|previous|known|\?)){{0,3}}\s?{REACTION}"
            r"|do not re-?challenge|upsets? (?:his|her|my|the) (?:stomach|tummy)|(?:brings?|brought|comes?"
            r"|came) (?:(?:him|her|me|them) )?(?:up |out )(?:in|with) (?:an? )?"
            rf"(?:{REACTION}|hives)|(?:triggers?|triggered|exacerbates?|exacerbated|sets? off) (?:his|her|the"
            rf"|an?) (?:\w+ )?"
            r"(?:asthma|attack|bronchospasm|wheeze)|could(?: not|n['\u2019]t) (?:tolerate|take it)|did(?: not"
            r"|n['\u2019]t)"
            r" (?:tolerate|agree with)|makes? (?:him|her|me) (?:sick|ill"
            rf"|vomit|unwell|nauseous|drowsy|itch\w{{0,3}})|(?:adverse |allergic |severe |bad )?reaction\b(?! to)"
            r"|causes (?:him |her |me )?(?:\w+ )?(?:hallucinations|nausea|vomiting|confusion|wheeze)"
            r"|[\s-]induced (?:rash|angio|anaph|hepat|pancrea)"
        ),
        "allergy!",
        0,
    ),
    (r"(?:was |were |been )?(?:tried|trialled)\b", "stopped", 0),
    (r"no longer (?:needed|required|prescribed|indicated|taken|takes|taking|on it|uses|using)", "stopped", 10),
    (
        (
            rf"(?:{BE}|has) {_FIRM}(?:{STOP}|on hold|completed|finished|(?<!being\s)tapered(?: off)?"
            rf"|(?<!being\s)weaned(?: off)?|switched"
            r"|(?<!has\s)replaced|removed|changed to|ended)"
        ),
        "stopped",
        4,
    ),
    (
        (
            rf"(?:and |but |so |then )?(?:i |we |he |she |they )?(?:have |has |had )?(?:{STOP} (?:it|this|them"
            r"|these|both|herself|himself|themselves)|g[ai]ven? (?:it|this|them) up)\b"
        ),
        "stopped",
        10,
    ),
    (
        # Without "was" it must not have an object of its own ("takes aspirin, stopped smoking").
        (
            rf"(?:now |since |recently |still |temporarily |all |both |to )?(?:{STOP}|on hold)(?! (?:(?!pending"
            r"|awaiting|following|owing|during)\w+ing|the|his|her|their|all(?! (?:admission|week|day|stay))|any"
            r"|my|your|if|when|until"
            r"|once)\b)(?!\w)"
        ),
        "stopped",
        1,
    ),
    (
        (
            r"(?:now |since |been )?(?:switched|changed|swapped|converted|replaced|substituted|rotated"
            r"|stepped down|escalated|de-?escalated|narrowed"
            r"|superseded)(?: over)? (?:to|for|by|with)(?! \d)|(?:course|treatment"
            r"|therapy) (?:now )?(?:complete[d]?|finished|ended)|(?<!to\s)complete[d]?\b(?! (?:a|the))"
            r"|finished\b(?! (?:a"
            r"|the))|ended\b|expired|crossed (?:off|out)|deleted|struck (?:off|out)|removed from|ran out|run out"
            rf"|(?:weaned|tapered|come|came|taken|is|now|been) off|(?:x?\s?\d\d?/7|days?|weeks?|doses"
            rf"|course) done\b|(?:to|can|should|must"
            rf"|now) be (?:removed|taken off)|off(?= since| until| pending| at present"
            rf"| for now|[,.;)]|\s*$)|no longer(?: {TAKE}"
            r"| on| needed| required| prescribed| indicated)?|in the past|previously|formerly|at one time"
            rf"|historically|until (?:\d{{4}}|(?:january|february|march|april|may|june|july|august|september"
            r"|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov"
            r"|dec)\b(?! (?:\d{4} )?(?:and )?then\b)|last|recently|(?:her|his"
            r"|the) (?:pregnancy|admission|diagnosis|operation|surgery)|\w+ (?:years?|months?|weeks?) ago"
            r"|this admission)|(?:in|during|for \w+ \w+ in) (?:19|20)\d\d(?= (?:caused|made|gave"
            r"|with(?:out)? (?:benefit|effect)|no (?:benefit|effect|help)|but|did|failed))|(?:caused|made (?:him"
            r"|her|them|me)|did(?: not|n['\u2019]t) (?:help|work|suit|touch|do (?:much|anything))|no (?:benefit"
            r"|effect)\b"
            r"|ineffective|(?:made |has made )?no difference|(?:(?:was |were |of )?(?:little|no|of no"
            r"|limited) (?:use|help|avail|good|help)\b)"
            r"|unhelpful|unsuccessful(?:ly)?"
            r"|(?:lost|losing) (?:its|their) effect|(?:stopped|no longer) work(?:ing|ed|s)|(?:could(?: not"
            r"|n['\u2019]t)"
            r"|was unable to|unable to) (?:continue|get on with|manage|persist)|did(?: not|n['\u2019]t) get on with"
            r"|(?:secondary )?loss of response|lost response|failed\b|without (?:any |much )?(?:benefit|effect"
            r"|success))"
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
            r"|prescribed|given|added|administered|initiated|titrated|tolerated)(?! on)"
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

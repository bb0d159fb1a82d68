"""The names in the drug dictionary that ordinary text uses for something else, and what the names of drugs end in."""

from typing import Final

_EVERYDAY_WORDS = """
    adrenergic aflatoxin alli aloe aman anesthetic anesthetics angelica anions antibodies antidotes arima armin
    armour arvin aspartame atpase atra azor bicarbonate biotin bismuth buffers camila camphor cannabinoid
    cannabinoids capex carcinogens cardamon cashews caspase cations cdna cera chamomile ches chickpea
    chlorofluorocarbons chloroform cholinergic citrate cloves cocaine colgate cortisol corwin cyclin daca diamonds
    dibenzofurans disulfide dmso dona dopamine ecstasy edta eisen endorphin endorphins evra fargo fertilizers fica
    flavonoids flours folate gaba gana gelatine generics ginkgo ginseng glucocorticoid glucokinase glutamate
    glyphosate hallucinogens hana haptoglobin hemel herbicides heroin histamine histones hops horseradish hydrogel
    hydroxylase hypoglycemic immunoglobulin indicators indio insecticides integrin interleukin ivor kendrick kinases
    lats leptin licorice liquorice luminal marijuana mdma microrna micrornas mirna modus mops mrna mtdna mutagen
    myrrh naca nadh nadph narcotic narcotics neurotransmitter neurotransmitters nitrates nmda norepinephrine oats
    olean oligonucleotide opium oregano palin paps parabens pecans peppermint phenols phosphates phospholipids
    phthalates polyphenols prostaglandin proteases psilocybin psychedelic psychedelics pulsar reagents rela
    resveratrol rhein safra saha sarin selsun serc serotonin silverado sits snares sone strychnine sugarcane sulfate
    sulfates sulfur sunkist sunscreen sunscreens tannins telomerase tetris tetrodotoxin tham thein theon tobi
    transcriptase tris trna tryptophan tubulin ubiquitin dapt pan calprotectin ferritin ferritins transferrin
    fibrinogen hemoglobin haemoglobin prolactin aldosterone renin thrombin urea creatine carnitine vegf vicks vitae
    watercress wormwood yeasts yuanzhi yunzhi
"""
EVERYDAY_WORDS: Final = frozenset(_EVERYDAY_WORDS.split()) | {
    "plan b",
    "all clear",
    "clear eyes",
    "special k",
    "constant t",
    "medical air",
    "iron sugar",
    "state of return",
}
"""Names that an ordinary text uses in another sense.

Measured: of the dictionary's single-word names, those among the words of general English (frequency of at least 0.16
in a million, and the vocabulary of the language model's news text), less those that mean a medicine there too.
"""

NO_NAMES: Final = frozenset(
    {
        "caps",
        "eye drop",
        "eye drops",
        "eyedrops",
        "nasal spray",
        "oral spray",
        "nasal aerosol",
        "milk powder",
        "drug",
        "drugs",
    }
)
"""Words of prescriptions that the dictionary has as names: "2 caps daily"."""

SPOKEN_OF_OUTSIDE_MEDICINE: Final = frozenset(
    {
        "amphetamine", "benzyl alcohol", "calcium carbonate", "coal tar", "estrogen", "lithium", "methamphetamine",
        "peppermint oil", "salicylic acid", "selenium sulfide", "vitamin a",
    }
)  # fmt: skip
"""Generic names of medicines that are also materials, hormones or street drugs."""

NO_MISSPELLINGS: Final = frozenset(
    {
        "aspiring", "aspirate", "creatine", "creatinine", "lactose", "lactase", "retinal", "retina", "morphing",
        "fluoride", "fluorine", "thyroid", "steroidal", "penicillium", "cortisone", "urease", "sucrose", "glucose",
        "galactose", "glycerol", "ketones", "peptide", "sulphur", "estrogens", "codeines", "iodine", "albumen",
        "globulin",
    }
)  # fmt: skip
"""Words that are spelt nearly like the name of a drug."""

NAME_ENDINGS: Final = (
    "pril", "sartan", "olol", "dipine", "vastatin", "prazole", "gliptin", "gliflozin", "glutide", "glitazone",
    "xaban", "gatran", "parin", "umab", "zumab", "ximab", "tinib", "ciclib", "rafenib", "zomib", "cillin",
    "cycline", "floxacin", "thromycin", "micin", "conazole", "nidazole", "ciclovir", "navir", "tegravir", "buvir",
    "asvir", "triptan", "setron", "azepam", "zolam", "barbital", "profen", "oxicam", "coxib", "solone", "metasone",
    "terol", "tropium", "lukast", "afil", "azosin", "thiazide", "semide", "dronate", "oxetine", "triptyline",
    "ipramine", "peridone", "azapine", "racetam", "bactam", "penem", "platin", "rubicin", "taxel", "limus",
    "fibrate", "gabalin", "glinide", "formin", "orexant", "gepant", "siran", "parib", "citinib", "fentanil",
    "vaptan", "fenacin", "urazole", "stigmine",
)  # fmt: skip
"""Endings that international nonproprietary names give to classes of medicines; ordinary words don't end so."""

COMBINED: Final = """
    losartan / hydrochlorothiazide, bisoprolol / hydrochlorothiazide, metoprolol / hydrochlorothiazide,
    brinzolamide / timolol, calcipotriol / betamethasone, indacaterol / glycopyrronium, aclidinium / formoterol,
    olanzapine / fluoxetine, fluticasone / formoterol, mometasone / formoterol, ferrous fumarate / folic acid,
    alogliptin / metformin, ramipril / amlodipine, lisinopril / amlodipine, atenolol / nifedipine,
    bupivacaine / fentanyl, lidocaine / adrenaline, sulfadoxine / pyrimethamine, ethinylestradiol / norgestimate,
    neomycin / bacitracin, neomycin / chlorhexidine, hydrocortisone / clotrimazole, hydrocortisone / fusidic acid,
    betamethasone / clotrimazole, tobramycin / dexamethasone, furosemide / amiloride, furosemide / spironolactone,
    solifenacin / tamsulosin, pseudoephedrine / cetirizine, pseudoephedrine / loratadine, guaifenesin / codeine,
    promethazine / codeine, adapalene / benzoyl peroxide, pentazocine / naloxone, tilidine / naloxone
"""
"""Pairs that one product combines and the dictionary does not: written with a slash they are one medicine."""

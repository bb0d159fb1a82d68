"""What we add to the drug dictionary, and the names in it that ordinary text uses for something else."""

from typing import Final, Literal

SUPPLEMENT: Final[dict[str, tuple[tuple[str, ...], Literal["SUPPORTED", "CERTAIN"]]]] = {
    # name as written -> (its ingredients by their names in the dictionary, the Confidence it has)
    "asa": (("aspirin",), "SUPPORTED"),
    "augmentin": (("amoxicillin", "clavulanic acid"), "CERTAIN"),
    "co-amoxiclav": (("amoxicillin", "clavulanic acid"), "CERTAIN"),
    "co-trimoxazole": (("trimethoprim", "sulfamethoxazole"), "CERTAIN"),
    "bactrim": (("trimethoprim", "sulfamethoxazole"), "CERTAIN"),
    "septra": (("trimethoprim", "sulfamethoxazole"), "SUPPORTED"),
    "clavulanate": (("clavulanic acid",), "CERTAIN"),
    "clavulanic acid": (("clavulanic acid",), "CERTAIN"),
    "keflex": (("cephalexin",), "CERTAIN"),
    "norco": (("hydrocodone", "acetaminophen"), "SUPPORTED"),
    "paracetamol": (("acetaminophen",), "CERTAIN"),
    "pcn": (("penicillins",), "SUPPORTED"),
    "percocet": (("oxycodone", "acetaminophen"), "CERTAIN"),
    "piperacillin": (("piperacillin",), "CERTAIN"),
    "salbutamol": (("albuterol",), "CERTAIN"),
    "sulfa": (("sulfonamides",), "SUPPORTED"),
    "sulfamethoxazole": (("sulfamethoxazole",), "CERTAIN"),
    "symbicort": (("budesonide", "formoterol"), "CERTAIN"),
    "synthroid": (("levothyroxine",), "CERTAIN"),
    "tazobactam": (("tazobactam",), "CERTAIN"),
    "vicodin": (("hydrocodone", "acetaminophen"), "CERTAIN"),
}
"""Names that the dictionary lacks, or has without the DrugBank ids of what is in them."""

_EVERYDAY_WORDS = """
    adrenergic aflatoxin alli aloe aman anesthetic anesthetics angelica anions antibodies antidotes arima armin
    armour arvin aspartame atpase atra azor bicarbonate biotin bismuth buffers camila camphor cannabinoid
    cannabinoids capex carcinogens cardamon cashews caspase cations cdna cera chamomile ches chickpea
    chlorofluorocarbons chloroform cholinergic citrate cloves cocaine colgate cortisol corwin cyclin daca
    diamonds dibenzofurans disulfide dmso dona dopamine ecstasy edta eisen endorphin endorphins evra fargo
    fertilizers fica flavonoids flours folate gaba gana gelatine generics ginkgo ginseng glucocorticoid
    glucokinase glutamate glyphosate hallucinogens hana haptoglobin hemel herbicides heroin histamine histones
    hops horseradish hydrogel hydroxylase hypoglycemic immunoglobulin indicators indio insecticides integrin
    interleukin ivor kendrick kinases lats leptin licorice liquorice luminal marijuana mdma microrna micrornas
    mirna modus mops mrna mtdna mutagen myrrh naca nadh nadph narcotic narcotics neurotransmitter
    neurotransmitters nitrates nmda norepinephrine oats olean oligonucleotide opium oregano palin paps parabens
    pecans peppermint phenols phosphates phospholipids phthalates polyphenols prostaglandin proteases psilocybin
    psychedelic psychedelics pulsar reagents rela resveratrol rhein safra saha sarin selsun serc serotonin
    silverado sits snares sone strychnine sugarcane sulfate sulfates sulfur sunkist sunscreen sunscreens tannins
    telomerase tetris tetrodotoxin tham thein theon tobi transcriptase tris trna tryptophan tubulin ubiquitin
    vegf vicks vitae watercress wormwood yeasts yuanzhi yunzhi
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

NO_NAMES: Final = frozenset({"caps", "eye drop", "eye drops", "drug", "drugs"})
"""Words of prescriptions that the dictionary has as names: "2 caps daily"."""

SPOKEN_OF_OUTSIDE_MEDICINE: Final = frozenset(
    {
        "amphetamine", "benzyl alcohol", "calcium carbonate", "coal tar", "estrogen", "lithium", "methamphetamine",
        "peppermint oil", "salicylic acid", "selenium sulfide", "vitamin a",
    }
)  # fmt: skip
"""Generic names of medicines that are also materials, hormones or street drugs."""

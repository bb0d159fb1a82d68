"""How a drug is to be taken, in the many ways in which clinicians write it."""

import pytest

from workers.drug_dictionary import Match
from workers.medications import Medication, extract_medications

PRESCRIBED = (
    # what is written: its dose, route, frequency (times a day, or once)
    ("digoxin 0,125 mg daily", "0.125 mg", None, "1"),
    ("L-thyroxine 1,5 mcg", "1.5 mcg", None, None),
    ("metformin 1,000 mg BID", "1000 mg", None, "2"),
    ("enoxaparin 40 mg s/c OD", "40 mg", "subcutaneous", "1"),
    ("Inj. Ceftriaxone 1 g IV BD x 5 days", "1 g", "intravenous", "2"),
    ("Tab. Pantocid 40 mg 1-0-0", "40 mg", None, "1"),
    ("Tab Dolo 650 mg SOS", "650 mg", None, None),
    ("Syp. Ambroxol 5 ml TDS", "5 mL", None, "3"),
    ("paracetamol 1g QDS PRN", "1 g", None, "4"),
    ("morphine sulfate 10mg/5ml, 2.5 mL PO q4h prn", "2.5 mL", "oral", "6"),
    ("salbutamol 100 mcg inhaler 2 puffs QDS via spacer", "100 mcg", "inhaled", "4"),
    ("Seretide 250 accuhaler one puff BD", None, "inhaled", "2"),
    ("fentanyl 25 mcg/hr patch every 72 hours", "25 mcg/hr", "transdermal", "0.333"),
    ("latanoprost one drop both eyes nocte", None, "ophthalmic", "1"),
    ("amoxicillin 500 mg tds for 7 days", "500 mg", None, "3"),
    ("methotrexate 15 mg once weekly on Mondays", "15 mg", None, "0.143"),
    ("warfarin 3 mg daily, INR 2.5", "3 mg", None, "1"),
    ("vitamin B12 1 mg IM every 3 months", "1 mg", "intramuscular", "0.0111"),
    ("denosumab 60 mg SC six-monthly", "60 mg", "subcutaneous", "0.0056"),
    ("insulin glargine 20 units nocte", "20 units", None, "1"),
    ("Novorapid 6 units with meals", "6 units", None, "3"),
    ("ramipril 2.5 mg mane", "2.5 mg", None, "1"),
    ("diazepam 5 mg stat", "5 mg", None, "once"),
    ("adenosine 6 mg IV stat", "6 mg", "intravenous", "once"),
    ("bisoprolol increased from 2.5 mg to 5 mg od", "5 mg", None, "1"),
    ("furosemide 40 mg -> 80 mg od", "80 mg", None, "1"),
    ("lisinopril reduced to 5 mg from 10 mg daily", "5 mg", None, "1"),
    ("increase ramipril 2.5 mg to 5 mg", "5 mg", None, None),
    ("prednisolone 30-40 mg daily", "30-40 mg", None, "1"),
    ("lidocaine 5% patch daily", None, "transdermal", "1"),
    ("hydrocortisone 1% cream BD", None, "topical", "2"),
    ("timolol 0.5% eye drops BD both eyes", None, "ophthalmic", "2"),
    ("potassium chloride 40 mmol in 1 L", "40 mmol", None, None),
    ("metformin, HbA1c 7.4% and creatinine 120 mg/dL", None, None, None),
    ("atorvastatin 80 mg ON", "80 mg", None, "1"),
    ("omeprazole 20 mg OM", "20 mg", None, "1"),
    ("oxycodone 5 mg 4-6 hourly PRN", "5 mg", None, "6"),
    ("gentamicin 5 mg/kg IV OD", "5 mg/kg", "intravenous", "1"),
    ("vancomycin 1.25 g IV 12-hourly", "1.25 g", "intravenous", "2"),
    ("Aspirin 300mg PO stat then 75mg OD", "300 mg", "oral", "once"),
    ("heparin 5000 units SC BD", "5000 units", "subcutaneous", "2"),
    ("levothyroxine 100 micrograms daily", "100 mcg", None, "1"),
    ("folic acid 5 mg once a week", "5 mg", None, "0.143"),
    ("GTN spray 2 puffs SL PRN", None, "sublingual", None),
    ("lactulose 15 mL BD", "15 mL", None, "2"),
    ("senna 2 tabs nocte", None, None, "1"),
    ("alendronic acid 70 mg weekly", "70 mg", None, "0.143"),
    ("furosemide 40 mg twice a day", "40 mg", None, "2"),
    ("Oramorph 5 mg every 4 hours when required", "5 mg", None, "6"),
    ("ibuprofen 400 mg three times daily with food", "400 mg", None, "3"),
    ("clonazepam 0.5 mg at bedtime", "0.5 mg", None, "1"),
    ("mirtazapine 15 mg at night", "15 mg", None, "1"),
    ("amlodipine 10 mg in the morning", "10 mg", None, "1"),
    ("co-codamol 30/500 mg 2 tablets QDS", "30/500 mg", None, "4"),
    ("amiodarone 200 mg TDS for 1 week, then BD for 1 week, then OD", "200 mg", None, "3"),
    ("tiotropium 18 mcg inhaled once daily", "18 mcg", "inhaled", "1"),
    ("ondansetron 4 mg SL q8h prn nausea", "4 mg", "sublingual", "3"),
    ("beclometasone nasal spray two sprays each nostril twice daily", None, "nasal", "2"),
    ("clotrimazole pessary 500 mg PV stat", "500 mg", "vaginal", "once"),
    ("paracetamol 1 g IV 6 hourly", "1 g", "intravenous", "4"),
    ("ferrous sulfate 200 mg alternate days", "200 mg", None, "0.5"),
    ("bisoprolol 1.25mg od. BP 120/80, HR 60.", "1.25 mg", None, "1"),
    ("warfarin 5 mg, 40 units of alcohol per week", "5 mg", None, None),
    ("levetiracetam 500mg b.d.", "500 mg", None, "2"),
    ("tramadol 50\u2013100 mg up to QDS", "50-100 mg", None, "4"),
    ("ketamine 0.5 mg/kg IV once", "0.5 mg/kg", "intravenous", "once"),
    ("zoledronic acid 5 mg IV once yearly", "5 mg", "intravenous", "0.0027"),
    ("buprenorphine 10 micrograms/hour patch weekly", "10 mcg/hr", "transdermal", "0.143"),
    ("vitamin D3 50,000 IU weekly for 8 weeks", "50000 units", None, "0.143"),
    ("colchicine 500 mcg BD for 5/7", "500 mcg", None, "2"),
    ("naproxen 250mg 1 tab TID", "250 mg", None, "3"),
    ("Lantus 18u qhs", "18 units", None, "1"),
    ("metoprolol succinate ER 25 mg PO daily", "25 mg", "oral", "1"),
    ("lorazepam 1mg PO/IM PRN", "1 mg", "oral", None),
    ("dexamethasone 8 mg mane and 4 mg midday", "8 mg", None, "1"),
    ("codeine 30mg 6/24 prn", "30 mg", None, "4"),
    ("cefalexin 500 mg four times a day for seven days", "500 mg", None, "4"),
    ("simvastatin 40mg every night", "40 mg", None, "1"),
    ("aspirin 75 mg once daily", "75 mg", None, "1"),
    ("atorvastatin 20 mg one at night", "20 mg", None, "1"),
    ("ramipril 5mg capsules One To Be Taken Each Day", "5 mg", None, "1"),
    ("adrenaline 1:1000 0.5 mg IM", "0.5 mg", "intramuscular", None),
    ("ceftriaxone 2g IV 24-hourly", "2 g", "intravenous", "1"),
    ("nifedipine MR 30 mg od", "30 mg", None, "1"),
    ("haloperidol 0.5-1 mg s.c. prn", "0.5-1 mg", "subcutaneous", None),
    ("midazolam 2.5 mg SC 1-hourly PRN", "2.5 mg", "subcutaneous", "24"),
    ("sertraline 50mg daily (previously 100mg)", "50 mg", None, "1"),
    ("phenytoin 300 mg NG nocte", "300 mg", "enteral tube", "1"),
    ("tacrolimus 2 mg BD (level 8 ng/mL)", "2 mg", None, "2"),
    ("Dose of apixaban reduced to 2.5 mg BD", "2.5 mg", None, "2"),
    ("10 mg of diazepam PR given", "10 mg", "rectal", None),
    ("two tablets of senna at night", None, None, "1"),
    ("diclofenac 1% gel applied topically TDS", None, "topical", "3"),
    ("epoetin 4000 units SC three times a week", "4000 units", "subcutaneous", "0.4286"),
    ("calcium carbonate 1.5 g with meals", "1.5 g", None, "3"),
    ("Ramipril 10mg o.d.", "10 mg", None, "1"),
    ("Humulin M3 20 units mane and 14 units teatime", "20 units", None, "1"),
)


def dose_of(medication: Medication) -> str | None:
    dose = medication.dose
    if dose is None:
        return None
    amount = "/".join(f"{value:g}" for value in dose.per_ingredient) or (
        f"{dose.value:.15g}" + (f"-{dose.value_max:g}" if dose.value_max else "")
    )
    return f"{amount} {dose.unit}"


@pytest.mark.parametrize(("text", "dose", "route", "frequency"), PRESCRIBED, ids=[line[0] for line in PRESCRIBED])
def test_a_prescription_is_read_as_it_is_meant(text, dose, route, frequency):
    medication = extract_medications(text).medications[0]

    assert dose_of(medication) == dose
    if route:
        assert medication.route
        assert medication.route.route == route
    if frequency == "once":
        assert medication.frequency
        assert medication.frequency.once
    elif frequency:
        assert medication.frequency
        assert medication.frequency.times_per_day == pytest.approx(float(frequency), rel=0.02)


@pytest.mark.parametrize(
    ("written", "before", "after"),
    [
        ("increased from 40 mg to 80 mg", 40, 80),
        ("increased from 40 to 80 mg daily", 40, 80),
        ("40 mg -> 80 mg", 40, 80),
        ("40 mg \u2192 80 mg OD", 40, 80),
        ("80 mg (increased from 40 mg)", 40, 80),
        ("40 mg OD, increase to 80 mg OD", 40, 80),
        ("80 mg, was 40 mg", 40, 80),
        ("reduced from 40 mg BD to 20 mg OD", 40, 20),
    ],
)
def test_a_change_has_the_dose_before_and_the_new_one_and_is_no_range(written, before, after):
    (medication,) = extract_medications(f"Furosemide {written}").medications

    assert medication.dose
    assert medication.previous_dose
    assert (medication.previous_dose.value, medication.dose.value, medication.dose.value_max) == (before, after, None)


def test_the_frequency_of_a_change_is_the_new_one():
    (medication,) = extract_medications("Furosemide reduced from 40 mg BD to 20 mg OD").medications

    assert medication.frequency
    assert medication.frequency.text == "OD"


@pytest.mark.parametrize(
    "text",
    [
        "Warfarin for AF, zelmotriptaz 40 mg at night",
        "On warfarin and blorvex 40 mg at night",
        "warfarin, grundelimab 40 mg at night",
    ],
)
def test_the_dose_of_an_unknown_drug_goes_to_no_other(text):
    warfarin = extract_medications(text).medications[0]

    assert warfarin.drug.text.lower() == "warfarin"
    assert (warfarin.dose, warfarin.frequency) == (None, None)


@pytest.mark.parametrize("text", ["warfarin, currently 3 mg daily", "warfarin, alternating 3 mg and 4 mg"])
def test_an_ordinary_word_before_a_dose_is_no_unknown_drug(text):
    (warfarin,) = extract_medications(text).medications

    assert warfarin.dose
    assert warfarin.dose.value == 3


def test_an_unknown_name_that_ends_like_one_of_a_medicine_is_found_and_marked():
    (found,) = extract_medications("Started grundelimumab 40 mg SC every 2 weeks.").medications

    assert (found.name, found.drugbank_id, found.match) == ("Grundelimumab", None, Match.ENDING)


@pytest.mark.parametrize(
    "measured",
    [
        "HbA1c 7.4 %",
        "creatinine 1.2 mg/dL",
        "eGFR 45 mL/min",
        "CRP 44 mg/L",
        "ferritin 12 ng/mL",
        "urine PCR 250 mg/mmol",
        "drains 60 mL overnight",
        "40 units of alcohol a week",
        "calprotectin 450 mcg/g",
        "weight 4 kg up",
        "SpO2 94%",
    ],
)
def test_what_was_measured_is_no_dose(measured):
    (metformin,) = extract_medications(f"On metformin, {measured}").medications

    assert metformin.dose is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Metfromin", "Metformin"),
        ("bisprolol", "Bisoprolol"),
        ("metropolol", "Metoprolol"),
        ("atorvastatn", "Atorvastatin"),
        ("simvastin", "Simvastatin"),
        ("warferin", "Warfarin"),
        ("omperazole", "Omeprazole"),
        ("amitryptiline", "Amitriptyline"),
        ("clopidogril", "Clopidogrel"),
        ("levetiracetem", "Levetiracetam"),
    ],
)
def test_a_misspelt_name_is_read_as_the_only_one_near_it_and_marked(written, name):
    (found,) = extract_medications(f"{written} 5 mg daily").medications

    assert (found.name, found.match) == (name, Match.SPELLING)


@pytest.mark.parametrize(
    "text",
    [
        "He has lactose intolerance and takes creatinine tests.",
        "The retinal scan was given to the aspiring surgeon.",
        "Metformed rocks are used on the wall.",
    ],
)
def test_an_ordinary_word_that_is_spelt_nearly_like_a_drug_is_none(text):
    assert extract_medications(text).medications == ()


@pytest.mark.parametrize(
    ("written", "ingredients"),
    [
        ("Tazocin", ["Piperacillin", "Tazobactam"]),
        ("Seretide", ["Fluticasone", "Salmeterol"]),
        ("Epilim", ["Valproic Acid"]),
        ("GTN spray", ["Nitroglycerin"]),
        ("Ecosprin", ["Aspirin"]),
        ("Glycomet", ["Metformin"]),
        ("Coversyl", ["Perindopril"]),
        ("Eltroxin", ["Levothyroxine"]),
        ("adrenaline", ["Epinephrine"]),
        ("Madopar", ["Levodopa", "Benserazide"]),
        ("MST", ["Morphine"]),
        ("Levemir", ["Insulin Detemir"]),
    ],
)
def test_trade_names_of_several_countries_are_known(written, ingredients):
    (found,) = extract_medications(f"{written} as prescribed").medications

    assert [ingredient.name for ingredient in found.ingredients] == ingredients


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Given IV ceftriaxone 2 g", "intravenous"),
        ("Started oral prednisolone 30 mg", "oral"),
        ("Eye drops: latanoprost nocte", "ophthalmic"),
        ("eye drops (latanoprost) nocte", "ophthalmic"),
        ("nebulised salbutamol 5 mg", "inhaled"),
        ("salbutamol nebs 5 mg", "inhaled"),
        ("salbutamol 5 mg via nebuliser", "inhaled"),
        ("salbutamol pMDI 2 puffs with spacer", "inhaled"),
        ("insulin glargine 10 units subcutaneously", "subcutaneous"),
        ("enoxaparin 40 mg subcutaneous injection", "subcutaneous"),
        ("enoxaparin 40 mg sub cut", "subcutaneous"),
        ("enoxaparin 40 mg subcut.", "subcutaneous"),
        ("paracetamol 1 g via PEG", "enteral tube"),
        ("levetiracetam 500 mg via NG tube", "enteral tube"),
        ("omeprazole 20 mg via gastrostomy", "enteral tube"),
        ("diazepam 10 mg rectally", "rectal"),
        ("estradiol patches 50 mcg twice weekly", "transdermal"),
        ("fluticasone nasal spray 2 sprays each nostril", "nasal"),
        ("mometasone 50 mcg intranasally", "nasal"),
        ("chloramphenicol drops to the right eye QDS", "ophthalmic"),
        ("Sofradex 3 drops in left ear TDS", "otic"),
        ("hydrocortisone 1% to affected areas BD", "topical"),
        ("betnovate ointment thinly BD", "topical"),
        ("ibuprofen gel TDS", "topical"),
        ("naloxone 400 mcg IM", "intramuscular"),
        ("morphine 5 mg intravenously", "intravenous"),
        ("furosemide 80 mg i.v.", "intravenous"),
        ("amoxicillin 500 mg p.o. tds", "oral"),
        ("GTN 400 mcg under the tongue", "sublingual"),
        ("GTN sublingual spray PRN", "sublingual"),
        ("midazolam buccally 10 mg", "buccal"),
        ("clotrimazole 500 mg pessary", "vaginal"),
        ("estriol cream vaginally", "vaginal"),
        ("buprenorphine sublingual tablet 2 mg", "sublingual"),
        ("ondansetron 4 mg by mouth", "oral"),
        ("ondansetron 4 mg IV/PO", "intravenous"),
        ("methotrexate 15 mg sc weekly", "subcutaneous"),
        ("adrenaline auto-injector 300 mcg IM", "intramuscular"),
        ("tiotropium inhalation powder 18 mcg daily", "inhaled"),
        ("tobramycin nebules 300 mg BD", "inhaled"),
        ("vancomycin 125 mg enterally QDS", "enteral tube"),
        ("lidocaine patch 5%", "transdermal"),
        ("nicotine 21 mg patch", "transdermal"),
        ("budesonide rectal foam", "rectal"),
        ("aciclovir ointment to eye 5x/day", "ophthalmic"),
        ("cyclopentolate eyedrops", "ophthalmic"),
        ("latanoprost OU qhs", "ophthalmic"),
        ("| Heparin | 5000 units | S/C | BD", "subcutaneous"),
        ("| Salbutamol | 5 mg | Neb | QDS", "inhaled"),
        ("| Fentanyl | 12 mcg/h | TD | 72 hourly", "transdermal"),
        ("| Tiotropium | 18 mcg | Inh | OD", "inhaled"),
    ],
)
def test_a_route_is_known_by_what_is_said_or_by_the_form(text, route):
    (medication,) = extract_medications(text).medications

    assert medication.route
    assert medication.route.route == route

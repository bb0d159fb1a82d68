"""What a text says of a drug, in the many ways in which clinicians say it."""

import pytest

from workers.medications import extract_medications


def statuses(text: str) -> dict[str, str]:
    return {medication.drug.text: medication.status.value for medication in extract_medications(text).medications}


SAID = (
    ("Amlodipine stopped due to ankle swelling.", {"Amlodipine": "stopped"}),
    ("Amlodipine - stopped (ankle swelling)", {"Amlodipine": "stopped"}),
    ("STOPPED: amlodipine, ramipril", {"amlodipine": "stopped", "ramipril": "stopped"}),
    ("Please stop the naproxen.", {"naproxen": "stopped"}),
    ("We have stopped his bisoprolol.", {"bisoprolol": "stopped"}),
    ("I have asked her to stop the ibuprofen.", {"ibuprofen": "stopped"}),
    ("She was advised to discontinue diclofenac.", {"diclofenac": "stopped"}),
    ("Clopidogrel was discontinued in March after 12 months.", {"Clopidogrel": "stopped"}),
    ("Metformin withheld in view of AKI.", {"Metformin": "stopped"}),
    ("Metformin has been withheld.", {"Metformin": "stopped"}),
    ("Ramipril and spironolactone were both suspended.", {"Ramipril": "stopped", "spironolactone": "stopped"}),
    ("Warfarin on hold pending endoscopy", {"Warfarin": "stopped"}),
    ("Hold apixaban 48h pre-op.", {"apixaban": "stopped"}),
    ("Ceased perindopril on admission", {"perindopril": "stopped"}),
    ("Cease metformin, commence gliclazide 40 mg mane.", {"metformin": "stopped", "gliclazide": "active"}),
    ("Olanzapine ceased 2 weeks ago.", {"Olanzapine": "stopped"}),
    ("d/c lisinopril", {"lisinopril": "stopped"}),
    ("lisinopril d/c'd", {"lisinopril": "stopped"}),
    ("He came off sertraline last year.", {"sertraline": "stopped"}),
    ("She has been weaned off prednisolone.", {"prednisolone": "stopped"}),
    ("Prednisolone was tapered and stopped.", {"Prednisolone": "stopped"}),
    ("Completed 7/7 of doxycycline.", {"doxycycline": "stopped"}),
    ("He finished a course of flucloxacillin last week.", {"flucloxacillin": "stopped"}),
    ("Trimethoprim course completed 3/5.", {"Trimethoprim": "stopped"}),
    ("She is no longer taking omeprazole.", {"omeprazole": "stopped"}),
    ("He previously took simvastatin but had muscle pains.", {"simvastatin": "stopped"}),
    ("Previously on amitriptyline.", {"amitriptyline": "stopped"}),
    ("She had been on methotrexate until 2019.", {"methotrexate": "stopped"}),
    ("Tried gabapentin in the past without benefit.", {"gabapentin": "stopped"}),
    ("Used to take propranolol.", {"propranolol": "stopped"}),
    ("Atorvastatin switched to rosuvastatin 10 mg.", {"Atorvastatin": "stopped", "rosuvastatin": "active"}),
    ("Switched from ramipril to losartan 50 mg because of cough.", {"ramipril": "stopped", "losartan": "active"}),
    ("Her citalopram was changed to sertraline 50 mg.", {"citalopram": "stopped", "sertraline": "active"}),
    ("Replaced codeine with tramadol.", {"codeine": "stopped", "tramadol": "active"}),
    ("Bisoprolol replaced by diltiazem.", {"Bisoprolol": "stopped", "diltiazem": "active"}),
    ("Ramipril -> candesartan 8 mg", {"Ramipril": "stopped", "candesartan": "active"}),
    ("Enalapril crossed off.", {"Enalapril": "stopped"}),
    ("Digoxin was stopped and bisoprolol increased to 5 mg.", {"Digoxin": "stopped", "bisoprolol": "active"}),
    ("Continue aspirin; stop clopidogrel in 12 months.", {"aspirin": "active"}),
    ("Prednisolone 40 mg OD for 5 days then stop.", {"Prednisolone": "active"}),
    ("Amoxicillin 500 mg TDS for 7 days.", {"Amoxicillin": "active"}),
    ("Do not stop your levothyroxine.", {"levothyroxine": "active"}),
    ("If bleeding occurs, stop apixaban and call us.", {"apixaban": "active"}),
    ("He should not stop bisoprolol abruptly.", {"bisoprolol": "active"}),
    ("Stopped smoking 2010, takes aspirin 75 mg.", {"aspirin": "active"}),
    ("Furosemide restarted at 40 mg.", {"Furosemide": "active"}),
    ("Ramipril was withheld but has now been restarted.", {"Ramipril": "active"}),
    ("Allergic to penicillin", {"penicillin": "allergy"}),
    ("ALLERGIC: penicillin, codeine", {"penicillin": "allergy", "codeine": "allergy"}),
    ("Penicillin allergic.", {"Penicillin": "allergy"}),
    ("Pt is penicillin-allergic", {"penicillin": "allergy"}),
    (
        "Allergies: penicillin (anaphylaxis), trimethoprim - rash",
        {"penicillin": "allergy", "trimethoprim": "allergy"},
    ),
    ("Allergy: co-amoxiclav -> rash", {"co-amoxiclav": "allergy"}),
    ("Penicillin -> AVOID", {"Penicillin": "allergy"}),
    ("NKDA except penicillin", {"penicillin": "allergy"}),
    ("No known drug allergies apart from codeine (vomiting).", {"codeine": "allergy"}),
    ("Intolerant of statins.", {"statins": "allergy"}),
    ("Intolerances: ramipril (cough)", {"ramipril": "allergy"}),
    ("She had anaphylaxis to cefuroxime in 2015.", {"cefuroxime": "allergy"}),
    ("Came out in a rash with amoxicillin.", {"amoxicillin": "allergy"}),
    ("Amoxicillin caused a widespread rash.", {"Amoxicillin": "allergy"}),
    ("Developed angioedema on lisinopril.", {"lisinopril": "allergy"}),
    ("Known hypersensitivity to aspirin.", {"aspirin": "allergy"}),
    ("Adverse reactions: erythromycin - GI upset", {"erythromycin": "allergy"}),
    ("ADRs: tramadol (hallucinations)", {"tramadol": "allergy"}),
    ("Drug sensitivities: morphine, nitrofurantoin", {"morphine": "allergy", "nitrofurantoin": "allergy"}),
    ("No allergy to penicillin.", {"penicillin": "negated"}),
    ("Not allergic to latex or penicillin.", {"penicillin": "negated"}),
    ("Denies any drug allergies. Takes metformin.", {"metformin": "active"}),
    ("She reports an allergy to sulfa drugs.", {"sulfa": "allergy"}),
    ("Alerts: PENICILLIN ALLERGY", {"PENICILLIN": "allergy"}),
    ("Allergy status: Trimethoprim, rash.", {"Trimethoprim": "allergy"}),
    ("His mother takes warfarin.", {"warfarin": "family"}),
    ("Father had a stroke on warfarin.", {"warfarin": "family"}),
    ("FH: mother on insulin, father takes statins", {"insulin": "family", "statins": "family"}),
    ("Family history: sister takes carbamazepine for epilepsy.", {"carbamazepine": "family"}),
    ("Her husband takes bisoprolol for AF.", {"bisoprolol": "family"}),
    ("FHx - brother allergic to penicillin", {"penicillin": "family"}),
    ("His mother died of a PE; he takes rivaroxaban 20 mg.", {"rivaroxaban": "active"}),
    ("Lives with his wife. Takes ramipril 5 mg.", {"ramipril": "active"}),
    ("Wife reports he takes ramipril 5 mg od.", {"ramipril": "active"}),
    ("Mum gave paracetamol 250 mg at 2 pm.", {"paracetamol": "active"}),
    ("Brought in by daughter; takes warfarin 3 mg.", {"warfarin": "active"}),
    ("Her son has asthma and uses salbutamol.", {"salbutamol": "family"}),
    ("He declined a statin.", {"statin": "negated"}),
    ("Statin declined.", {"Statin": "negated"}),
    ("She refused the influenza vaccine and paracetamol.", {"paracetamol": "negated"}),
    ("Offered sertraline but declined.", {"sertraline": "negated"}),
    ("Consider adding amlodipine 5 mg.", {"amlodipine": "negated"}),
    ("We would consider starting spironolactone.", {"spironolactone": "negated"}),
    ("Denosumab was considered.", {"Denosumab": "negated"}),
    ("May benefit from mirtazapine.", {"mirtazapine": "negated"}),
    ("Discussed HRT and estradiol patches.", {"estradiol": "negated"}),
    ("If no improvement, add mirtazapine 15 mg.", {"mirtazapine": "negated"}),
    ("? start apixaban", {"apixaban": "negated"}),
    ("Not on any anticoagulants.", {"anticoagulants": "negated"}),
    ("Not for thrombolysis with alteplase.", {"alteplase": "negated"}),
    ("No indication for aspirin.", {"aspirin": "negated"}),
    ("Avoid NSAIDs and ibuprofen.", {"NSAIDs": "negated", "ibuprofen": "negated"}),
    ("NSAIDs contraindicated.", {"NSAIDs": "negated"}),
    ("Should not be given metoclopramide.", {"metoclopramide": "negated"}),
    ("Never taken warfarin.", {"warfarin": "negated"}),
    ("Has not started the sertraline yet.", {"sertraline": "negated"}),
    ("No aspirin or clopidogrel.", {"aspirin": "negated", "clopidogrel": "negated"}),
    ("Apixaban instead of warfarin.", {"Apixaban": "active", "warfarin": "negated"}),
    (
        "He takes ramipril, atorvastatin and aspirin.",
        {"ramipril": "active", "atorvastatin": "active", "aspirin": "active"},
    ),
    ("Started on clopidogrel 75 mg.", {"clopidogrel": "active"}),
    ("Bisoprolol increased from 2.5 mg to 5 mg.", {"Bisoprolol": "active"}),
    ("We will continue lithium 400 mg nocte.", {"lithium": "active"}),
    ("Given IV ceftriaxone 2 g stat.", {"ceftriaxone": "active"}),
    ("To start ferrous fumarate 210 mg BD.", {"ferrous fumarate": "active"}),
    ("Plan: start amlodipine 5 mg OD.", {"amlodipine": "active"}),
    ("Recommend rivaroxaban 20 mg with food.", {"rivaroxaban": "active"}),
    ("The lithium was stopped in May 2023.", {"lithium": "stopped"}),
    ("| Lithium | 400 mg | nocte | stopped May 2023 |", {"Lithium": "stopped"}),
    ("| Ramipril | 5 mg | OD | On hold |", {"Ramipril": "stopped"}),
    ("| Aspirin | 75 mg | OD | continued |", {"Aspirin": "active"}),
    ("Ramipril\t5 mg\tOD\tstopped 12/03/2024", {"Ramipril": "stopped"}),
    ("HOLD: metformin (contrast)", {"metformin": "stopped"}),
    ("Furosemide: stopped. Bumetanide: started 1 mg OD.", {"Furosemide": "stopped", "Bumetanide": "active"}),
    ("Not started on aspirin given bleeding risk.", {"aspirin": "negated"}),
    ("Allopurinol - omitted today", {"Allopurinol": "stopped"}),
    ("Ibuprofen (stopped by GP), paracetamol 1 g QDS", {"Ibuprofen": "stopped", "paracetamol": "active"}),
    (
        "aspirin 75mg od, clopidogrel 75mg od (stopped), ramipril 5mg od",
        {"aspirin": "active", "clopidogrel": "stopped", "ramipril": "active"},
    ),
    ("She self-discontinued her escitalopram.", {"escitalopram": "stopped"}),
    ("Warfarin discontinued, apixaban 5 mg BD commenced.", {"Warfarin": "stopped", "apixaban": "active"}),
    ("The GP may wish to consider a trial of mirtazapine.", {"mirtazapine": "negated"}),
    ("Advised against taking ibuprofen.", {"ibuprofen": "negated"}),
    ("He denies using cocaine or taking codeine.", {"codeine": "negated"}),
    ("Pt states she stopped taking fluoxetine 3 months ago.", {"fluoxetine": "stopped"}),
    (
        "Amiodarone discontinued secondary to thyroid dysfunction; now on bisoprolol.",
        {"Amiodarone": "stopped", "bisoprolol": "active"},
    ),
    ("on levothyroxine, not on statin", {"levothyroxine": "active", "statin": "negated"}),
    ("Held home lisinopril and HCTZ given AKI.", {"lisinopril": "stopped", "HCTZ": "stopped"}),
    ("Home lisinopril was held.", {"lisinopril": "stopped"}),
    ("Unable to tolerate CPAP. On aspirin 81 mg.", {"aspirin": "active"}),
    ("Failed metformin and glipizide.", {"metformin": "stopped", "glipizide": "stopped"}),
    ("Tolerates cephalosporins, takes cefalexin.", {"cefalexin": "active"}),
    ("Penicillin allergy, given clarithromycin 500 mg BD.", {"Penicillin": "allergy", "clarithromycin": "active"}),
    ("Allergy to penicillin so clarithromycin prescribed.", {"penicillin": "allergy", "clarithromycin": "active"}),
    ("Tab Ecosprin 75 mg OD - continue", {"Ecosprin": "active"}),
    ("Tab. Telma 40 mg 1-0-0", {"Telma": "active"}),
    ("Ramipril 5 mg (reduced from 10 mg)", {"Ramipril": "active"}),
    ("Statin: declined", {"Statin": "negated"}),
    ("Aspirin: none.", {"Aspirin": "negated"}),
    ("Recently finished amoxicillin.", {"amoxicillin": "stopped"}),
    ("On discharge amlodipine was not restarted.", {"amlodipine": "stopped"}),
    ("Nitrofurantoin is not suitable.", {"Nitrofurantoin": "negated"}),
    ("Anticoagulation with apixaban was deferred.", {"apixaban": "negated"}),
    ("Ramipril 10mg OD stopped on discharge.", {"Ramipril": "stopped"}),
    ("Has been off lithium since 2020.", {"lithium": "stopped"}),
    ("After stopping amiodarone his TFTs normalised.", {"amiodarone": "stopped"}),
    ("His cousin is on clozapine.", {"clozapine": "family"}),
    ("Mother: allergic to penicillin", {"penicillin": "family"}),
    ("Mesalazine - no role.", {"Mesalazine": "negated"}),
    ("Stop all non-essential meds incl atorvastatin and aspirin.", {"atorvastatin": "stopped", "aspirin": "stopped"}),
    (
        "d/c vancomycin, narrow pip-tazo to ceftriaxone 2 g q24h.",
        {"vancomycin": "stopped", "pip-tazo": "stopped", "ceftriaxone": "active"},
    ),
    ("Discussed with mum, who takes lisdexamfetamine herself.", {"lisdexamfetamine": "family"}),
    ("Started on Jardiance by his GP but never filled it.", {"Jardiance": "negated"}),
    ("Colestyramine one sachet bd - can't stand the taste, stopped herself.", {"Colestyramine": "stopped"}),
    ("Oxybutynin 5 mg BD - dry mouth. Now stopped.", {"Oxybutynin": "stopped"}),
    ("Clozapine 150 mg mane, 250 mg nocte - no change.", {"Clozapine": "active"}),
    ("MSU grew E. coli sensitive to nitrofurantoin.", {"nitrofurantoin": "active"}),
    ("Declined anti-D. Levothyroxine 75 mcg OD.", {"anti-D": "negated", "Levothyroxine": "active"}),
    ("NOT allergies: cefalexin taken in 2028 without reaction.", {"cefalexin": "active"}),
    ("Ramipril 5 mg capsules - stopped (cough).", {"Ramipril": "stopped"}),
    (
        "His amlodipine has been discontinued and he now takes lercanidipine 10 mg.",
        {"amlodipine": "stopped", "lercanidipine": "active"},
    ),
    ("Amlodipine swapped to felodipine.", {"Amlodipine": "stopped", "felodipine": "active"}),
    ("He was given a 5 day course of amoxicillin in January.", {"amoxicillin": "stopped"}),
    ("She had two courses of trimethoprim this winter.", {"trimethoprim": "stopped"}),
    ("Warfarin: stopped 3/12 ago.", {"Warfarin": "stopped"}),
    ("The dose of digoxin was halved and then it was stopped.", {"digoxin": "stopped"}),
    ("Bisoprolol has been on hold since Monday.", {"Bisoprolol": "stopped"}),
    ("Not to restart metformin.", {"metformin": "stopped"}),
    ("Metformin is currently withheld.", {"Metformin": "stopped"}),
    ("Temporarily stop ramipril.", {"ramipril": "stopped"}),
    ("Discontinue aspirin and clopidogrel.", {"aspirin": "stopped", "clopidogrel": "stopped"}),
    ("Stopped on discharge: aspirin, clopidogrel.", {"aspirin": "stopped", "clopidogrel": "stopped"}),
    ("Lithium (stopped 2019)", {"Lithium": "stopped"}),
    ("Spironolactone 25mg OD STOPPED", {"Spironolactone": "stopped"}),
    ("- Amitriptyline 10 mg nocte: stopped by patient", {"Amitriptyline": "stopped"}),
    ("- Oxybutynin: discontinue", {"Oxybutynin": "stopped"}),
    ("He gave up taking simvastatin because of aches.", {"simvastatin": "stopped"}),
    ("Clopidogrel finished in May.", {"Clopidogrel": "stopped"}),
    (
        "The antibiotic was changed from flucloxacillin to clindamycin.",
        {"flucloxacillin": "stopped", "clindamycin": "active"},
    ),
    ("We took her off nifedipine.", {"nifedipine": "stopped"}),
    ("Please could you remove naproxen from his repeat.", {"naproxen": "stopped"}),
    ("Carbamazepine was withdrawn over 6 weeks.", {"Carbamazepine": "stopped"}),
    ("Infliximab ceased after 3 doses.", {"Infliximab": "stopped"}),
    ("Omeprazole 20 mg OD (on hold while on clopidogrel)", {"Omeprazole": "stopped", "clopidogrel": "active"}),
    ("Allergic to: penicillin", {"penicillin": "allergy"}),
    ("Allergy - trimethoprim", {"trimethoprim": "allergy"}),
    ("ALLERGIES Penicillin, Codeine", {"Penicillin": "allergy", "Codeine": "allergy"}),
    ("Allergies/ADRs: ramipril - angioedema", {"ramipril": "allergy"}),
    ("Drug allergy: Yes - penicillin", {"penicillin": "allergy"}),
    ("Known drug allergies: aspirin; codeine.", {"aspirin": "allergy", "codeine": "allergy"}),
    ("Has a documented allergy to co-trimoxazole.", {"co-trimoxazole": "allergy"}),
    ("Anaphylactic to penicillin.", {"penicillin": "allergy"}),
    ("She reacts to codeine (vomiting).", {"codeine": "allergy"}),
    ("Previous bad reaction to metoclopramide.", {"metoclopramide": "allergy"}),
    ("Pen allergy. Takes ramipril.", {"ramipril": "active"}),
    ("Penicillin allergy (childhood rash)", {"Penicillin": "allergy"}),
    ("True penicillin allergy confirmed by testing.", {"penicillin": "allergy"}),
    ("Erythromycin = GI upset; penicillin = anaphylaxis", {"penicillin": "allergy"}),
    ("Allergies: No known drug allergies. Regular: bisoprolol 5 mg.", {"bisoprolol": "active"}),
    ("Amoxicillin brought her out in hives.", {"Amoxicillin": "allergy"}),
    ("Ciprofloxacin is contraindicated given previous tendon rupture.", {"Ciprofloxacin": "negated"}),
    ("Beta-blockers should be avoided.", {"Beta-blockers": "negated"}),
    ("He must not have metoclopramide.", {"metoclopramide": "negated"}),
    ("NSAIDs - avoid (CKD)", {"NSAIDs": "negated"}),
    ("Do not give diclofenac.", {"diclofenac": "negated"}),
    ("We agreed not to start apixaban.", {"apixaban": "negated"}),
    ("He does not wish to take statins.", {"statins": "negated"}),
    ("He was offered apixaban but prefers to wait.", {"apixaban": "negated"}),
    ("We might think about adding ezetimibe.", {"ezetimibe": "negated"}),
    ("If her pain persists she could try duloxetine.", {"duloxetine": "negated"}),
    ("She is not on any hormone treatment, never had tamoxifen.", {"tamoxifen": "negated"}),
    ("No regular analgesia apart from paracetamol.", {"paracetamol": "active"}),
    ("His brother and uncle both take warfarin.", {"warfarin": "family"}),
    ("Maternal grandmother was treated with digoxin.", {"digoxin": "family"}),
    ("There is a strong family history; his dad is on atorvastatin.", {"atorvastatin": "family"}),
    ("Her partner's viagra.", {"viagra": "family"}),
    ("Mother allergic to sulphonamides; patient tolerates co-trimoxazole.", {"co-trimoxazole": "active"}),
    ("Paternal aunt - lithium", {"lithium": "family"}),
    (
        "Taking folic acid, stopped ibuprofen when pregnant.",
        {"folic acid": "active", "ibuprofen": "stopped"},
    ),
)


@pytest.mark.parametrize(("text", "expected"), SAID, ids=[text for text, _ in SAID])
def test_what_is_said_of_a_drug_is_its_status(text, expected):
    found = statuses(text)

    assert {name: found.get(name) for name in expected} == expected


def test_the_words_that_a_status_rests_on_are_its_evidence():
    text = "Ramipril and spironolactone were both suspended.\n\nAllergies:\n- penicillin\n\nTakes aspirin."

    medications = extract_medications(text).medications

    evidence = [medication.evidence for medication in medications]
    assert [span and span.text for span in evidence] == ["were both suspended"] * 2 + ["Allergies:", "Takes"]
    assert all(text[span.start : span.end] == span.text for span in evidence if span)


def test_where_the_text_says_nothing_there_is_no_evidence():
    (medication,) = extract_medications("Metformin 500 mg BD").medications

    assert (medication.status.value, medication.evidence) == ("active", None)


def test_each_row_of_a_table_speaks_for_itself():
    text = (
        "| Drug | Dose | Frequency | Status |\n|---|---|---|---|\n| Aspirin | 75 mg | od | continue |\n"
        "| Lithium | 400 mg | nocte | stopped May 2023 |\n| Warfarin | as per INR | od | never started |\n"
        "| Bisoprolol | 2.5 mg | od | On hold |\n| Codeine | | | ALLERGY: vomiting |\n| Senna | 15 mg | nocte | |\n"
    )

    assert statuses(text) == {
        "Aspirin": "active",
        "Lithium": "stopped",
        "Warfarin": "negated",
        "Bisoprolol": "stopped",
        "Codeine": "allergy",
        "Senna": "active",
    }


def test_a_label_at_the_start_of_a_line_holds_for_that_line():
    text = "Allergies: penicillin\nFather: on warfarin\nHeld: metformin\nHe takes ramipril and bisoprolol."

    assert statuses(text) == {
        "penicillin": "allergy",
        "warfarin": "family",
        "metformin": "stopped",
        "ramipril": "active",
        "bisoprolol": "active",
    }


def test_the_list_under_a_heading_ends_with_the_list():
    text = "Medicines stopped:\n- amlodipine 5 mg\n- ramipril 10 mg\n\nBloods next week. Bumetanide 1 mg mane."

    assert statuses(text) == {"amlodipine": "stopped", "ramipril": "stopped", "Bumetanide": "active"}


def test_an_item_in_small_letters_does_not_go_on_with_the_line_before():
    text = "Home meds:\nticagrelor 90 mg bd - not taking\nlisinopril 20 mg daily\nmetformin 1 g bd"

    assert statuses(text) == {"ticagrelor": "negated", "lisinopril": "active", "metformin": "active"}

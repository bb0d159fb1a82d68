"""Names of medicines that the drug dictionary lacks, or has without what is in them.

A line is "ingredients: names". Ingredients are joined by " + " and written as the dictionary has them; one after "="
is not looked up, as the dictionary has it under a name of something else. The names are trade names and short forms
of the United Kingdom, Ireland, Australia, India and the United States.
"""

from typing import Final

_CERTAIN = """
acetaminophen: paracetamol, panadol, panadol osteo, calpol, crocin, dolo, tylenol, disprol, perfalgan
acetaminophen + codeine: co-codamol, panadeine, panadeine forte, solpadol, zapain, solpadeine, kapake, tylex
acetaminophen + dihydrocodeine: co-dydramol
acetaminophen + tramadol: tramacet, ultracet
oxycodone + acetaminophen: percocet
hydrocodone + acetaminophen: vicodin, lortab
acetylcysteine: parvolex
adenosine: adenosine, adenocor, adenoscan
albuterol: salbutamol, ventolin, asthalin, airomir, salamol, levolin
albuterol + ipratropium: duolin, duoneb, combivent
alendronic acid: alendronic acid, alendronate
aluminium hydroxide + magnesium hydroxide: maalox, gelusil
amiloride + hydrochlorothiazide: moduretic, co-amilozide
amitriptyline: endep
amlodipine: norvasc, istin, amlong, stamlo
amlodipine + atorvastatin: caduet
amlodipine + telmisartan: twynsta, telma am
amoxicillin: amoxil, amoxycillin, novamox, amox
amoxicillin + clavulanic acid: augmentin, augmentin duo, augmentin duo forte, co-amoxiclav, clavam, co-amox, curam duo
apixaban: eliquis
aspirin: ecosprin, astrix, cardiprin, disprin, nu-seals, micropirin, ecotrin, spren
atorvastatin: lipitor, atorva, storvas
azithromycin: azee, z-pak, zithromax, azithral
beclomethasone: beclometasone, clenil, clenil modulite, qvar
beclomethasone + formoterol: fostair, luforbec
beclomethasone + formoterol + glycopyrronium: trimbow
betahistine: vertin
bisoprolol: cardicor, emcor, bicor, concor
budesonide: budecort, pulmicort
budesonide + formoterol: symbicort, foracort, duoresp, duoresp spiromax, fobumix
buprenorphine: butec, norspan, butrans, transtec
calcium carbonate: caltrate, calcichew
calcium carbonate + cholecalciferol: adcal, adcal-d3, adcal d3, calcichew d3, calcichew-d3
calcium carbonate + cholecalciferol: accrete d3, shelcal, evacal d3, calceos, natecal d3
candesartan + hydrochlorothiazide: atacand plus
carbimazole: neo-mercazole, neomercazole
carbidopa + levodopa: sinemet, co-careldopa, syndopa, kinson
carbidopa + levodopa + entacapone: stalevo, sastravi
carmellose: celluvisc
cefixime: taxim-o, taxim o, zifi
cefotaxime: taxim
ceftriaxone: monocef, rocephin
cephalexin: sporidex, keflex, cefalexin, ceporex
chloramphenicol: chlorsig
chlorpheniramine: piriton, chlorphenamine, chlorpheniramine
cholecalciferol: colecalciferol, fultium, fultium-d3, ostelin, ostevit, ostevit-d
cholecalciferol: vitamin d3, vit d3, invita d3, thorens, stexerol, uprise d3, calcirol
ciprofloxacin: ciplox, ciproxin, cipro
citalopram: cipramil
clopidogrel: plavix, clopilet
colistimethate: colomycin, promixin
cyanocobalamin: vitamin b12, vit b12, cytamen
dexamethasone + framycetin + gramicidin: sofradex
dexamethasone + neomycin: otomize
diclofenac: voltarol, voltaren, voveran, arthrotec
dicyclomine: dicycloverine, merbentyl, cyclopam
digoxin: lanoxin
docusate + senna: coloxyl with senna, coloxyl and senna
docusate: coloxyl, dioctyl
doxycycline: vibramycin, doxylin
drospirenone + ethinylestradiol: yasmin
duloxetine: cymbalta
edoxaban: lixiana
enoxaparin: clexane, inhixa, lovenox
epinephrine: adrenaline, epipen, jext, emerade
ergonovine + oxytocin: syntometrine
ertapenem: invanz
escitalopram: cipralex, lexapro, nexito
esomeprazole: nexium, emozul
estradiol: estradiol, oestradiol, estradot, evorel, oestrogel, sandrena, lenzetto, vagifem, vagirux
estradiol + norethisterone: kliovance, kliofem, elleste duet, evorel conti
estriol: estriol, ovestin, gynest
ethinylestradiol + levonorgestrel: microgynon, microgynon 30, rigevidon, levlen, logynon
etoricoxib: arcoxia
ferric carboxymaltose: ferinject
ferrous fumarate: fersamal, galfer
ferrous sulfate: ferrous sulphate, ferrograd, ferro-gradumet, feospan, ferrograd c
iron polymaltose: maltofer
iron isomaltoside: monofer
flucloxacillin: fluclox, flopen, floxapen
fluoxetine: prozac, fludac
flupentixol: depixol, flupenthixol, fluanxol
fluticasone + salmeterol: seretide, advair, sirdupla, airflusal, seroflo
fluticasone + vilanterol: relvar, relvar ellipta, breo, breo ellipta
fluticasone + umeclidinium + vilanterol: trelegy, trelegy ellipta
umeclidinium + vilanterol: anoro, anoro ellipta
olodaterol + tiotropium: spiolto, spiolto respimat
furosemide: lasix, frusemide, frusol, furosemide
fusidic acid: fucidin, fusidic acid, fucithalmic
nitroglycerin: gtn, gtn spray, glyceryl trinitrate, nitrolingual, anginine, nitrocine
glycopyrronium: seebri
hydroxocobalamin: hydroxocobalamin, neo-cytamen
=hyoscine butylbromide: buscopan, hyoscine butylbromide
ibuprofen + acetaminophen: combiflam, nuromol, maxigesic
indapamide + perindopril: coversyl plus
indomethacin: indometacin, indocid
insulin: actrapid, humulin s, humulin r
insulin aspart: novorapid, novolog, fiasp
insulin aspart + insulin aspart protamine: novomix, novomix 30
insulin degludec: tresiba
insulin detemir: levemir
insulin glargine: lantus, toujeo, abasaglar, basaglar, optisulin, semglee, basalog
insulin glulisine: apidra
insulin isophane: humulin i, insulatard, nph insulin, humulin n, protaphane, isophane insulin
insulin lispro: humalog, admelog
insulin lispro + insulin lispro protamine: humalog mix 25, humalog mix25, humalog mix
insulin human + insulin isophane: mixtard, humulin m3, mixtard 30, humulin 70/30, novolin 70/30
irbesartan: karvea, avapro, aprovel
irbesartan + hydrochlorothiazide: avalide, karvezide, coaprovel
isosorbide mononitrate: imdur, duride, monodur, monomil, ismn, elantan, monotrate
=ispaghula husk: isabgol, fybogel, ispaghula, ispaghula husk
lansoprazole: zoton
leuprorelin: prostap, leuprorelin, lucrin
levetiracetam: keppra, levipil
levodopa + benserazide: madopar, co-beneldopa
levothyroxine: thyroxine, thyroxine sodium, thyronorm, eltroxin, euthyrox
levothyroxine: oroxine, synthroid, levoxyl, eutroxsig, levothyroxine sodium, l-thyroxine
lidocaine: lignocaine, versatis, xylocaine
losartan: losar, losacar
linagliptin: trajenta
macrogol: movicol, laxido, osmolax, macrogol, cosmocol, restoralax, clearlax, molaxole
magnesium glycerophosphate: magnesium glycerophosphate
magnesium sulfate: magnesium sulphate, mgso4, mg sulfate, mag sulfate, mg sulphate
mesalazine: mesalazine, octasa, mezavant, salofalk, asacol, pentasa
metformin: glycomet, diabex, diaformin, glucophage, metformin sr, metformin mr
metformin + sitagliptin: janumet
metformin + vildagliptin: galvumet, eucreas
metformin + empagliflozin: synjardy, jardiamet
metformin + linagliptin: jentadueto, trajentamet
metformin + dapagliflozin: xigduo
metformin + glimepiride: glycomet gp
metoclopramide: maxolon, perinorm, pramin
metoprolol: betaloc, lopresor, metolar
metronidazole: flagyl, metrogyl
miconazole: daktarin
miconazole + hydrocortisone: daktacort
mirtazapine: avanza
morphine: mst, mst continus, oramorph, zomorph, sevredol, ms contin, ordine, morphgesic
mycophenolate mofetil: mycophenolate, mmf, cellcept
nicotine: nicorette, nicotinell, niquitin, nicabate
norethisterone: utovlan, primolut
norfloxacin: norflox
olanzapine: zyprexa
olmesartan: olmetec
omeprazole: losec, omez, mezzopram
ondansetron: ondem, emeset, zofran
oxycodone: oxynorm, oxycontin, endone, longtec, shortec, oxycodone mr
oxycodone + naloxone: targin, targinact
pancreatin: pancreatin, creon
pantoprazole: pantocid, somac, protium, pantop
pantoprazole + domperidone: pan-d, pantocid-d, pantocid dsr, pan d
rabeprazole + domperidone: razo d, razo-d
rabeprazole: razo, pariet
ranitidine: rantac, zantac
phenoxymethylpenicillin: pen v, pen vk, pen-vk, penicillin v, penicillin vk
perindopril: coversyl
perindopril + amlodipine: coveram
phenytoin: dilantin, epanutin, eptoin
phytomenadione: konakion, phytomenadione
piperacillin: piperacillin
tazobactam: tazobactam
sulfamethoxazole: sulfamethoxazole
clavulanic acid: clavulanic acid, clavulanate
piperacillin + tazobactam: tazocin, pip-taz, pip-tazo, piptaz, pip taz, pip/taz, zosyn, piptazobactam
potassium chloride: slow-k, span-k, sando-k, kay-cee-l, kcl, chlorvescent, klor-con, k-dur
pregabalin: lyrica, alzain, pregalin, pregalin m, pregeb
prochlorperazine: stemetil, buccastem
progesterone: utrogestan, prometrium
quetiapine: seroquel, seroquel xr
risperidone: risperdal, risperdal consta
rivaroxaban: xarelto
rosuvastatin: crestor, rosuvas
sacubitril + valsartan: entresto, vymada
semaglutide: ozempic, rybelsus, wegovy
senna: senna, senokot, sennosides
sertraline: zoloft, lustral
sodium alginate + potassium bicarbonate: gaviscon advance
sodium alginate + sodium bicarbonate + calcium carbonate: gaviscon, peptac
sodium polystyrene sulfonate: resonium
sevelamer: renvela, renagel
calcium acetate: phosex
trimethoprim + sulfamethoxazole: septrin, co-trimoxazole, bactrim, resprim, septran, cotrimoxazole, tmp-smx, smx-tmp
tapentadol: palexia
telmisartan: telma, micardis
telmisartan + hydrochlorothiazide: telma h, telma-h, micardis plus, micardisplus
testosterone: nebido, testogel, sustanon, tostran
thiamine: thiamine, benerva
thiamine + riboflavin + pyridoxine + nicotinamide + ascorbic acid: pabrinex
tibolone: livial
torsemide: torasemide, dytor
valproic acid: epilim, epilim chrono, sodium valproate, valproate, depakote, valparin
=zuclopenthixol: zuclopenthixol, clopixol
zolpidem: stilnoct, stilnox
candesartan: amias, atacand
clobetasol: dermovate
aceclofenac: zerodol
aceclofenac + acetaminophen: zerodol p, zerodol-p
aceclofenac + acetaminophen + serratiopeptidase: zerodol sp, zerodol-sp
montelukast + levocetirizine: montair lc, montek lc
liraglutide: victoza, saxenda
dulaglutide: trulicity
tirzepatide: mounjaro
empagliflozin: jardiance
dapagliflozin: forxiga
sitagliptin: januvia
tiotropium: spiriva, braltus
ticagrelor: brilique, brilinta
dabigatran: pradaxa
warfarin: coumadin, marevan
simvastatin: zocor, lipex
ezetimibe + simvastatin: inegy, vytorin
pravastatin: pravachol
mirabegron: betmiga
solifenacin: vesicare
tolterodine: detrusitol
tamsulosin: flomax, flomaxtra, contiflo
tamsulosin + dutasteride: combodart, duodart
venlafaxine: efexor, effexor, venlalic, vensir
paroxetine: seroxat, paxil, aropax
diazepam: valium
lorazepam: ativan
alprazolam: xanax
fluticasone: flixotide, flixonase, flovent, avamys
mometasone: nasonex
loratadine: clarityn, claritin, claratyne
cetirizine: zirtek, zyrtec
fexofenadine: telfast, allegra
ibuprofen: nurofen, brufen, advil, motrin
naproxen: naprosyn, aleve
celecoxib: celebrex
tramadol: zydol, tramal, ultram
fentanyl: durogesic, matrifen, mezolar
adalimumab: humira, amgevita, imraldi, hyrimoz
etanercept: enbrel, benepali
infliximab: remicade, remsima, inflectra
denosumab: prolia, xgeva
tocilizumab: roactemra, actemra
methotrexate: mtx, metoject
hydroxychloroquine: plaquenil, hcqs
darbepoetin alfa: aranesp
epoetin alfa: eprex
lactulose: duphalac
loperamide: imodium
nitrofurantoin: macrobid, macrodantin
oseltamivir: tamiflu
acyclovir: aciclovir, zovirax
=conjugated estrogens: premarin
medroxyprogesterone: depo-provera, provera
desogestrel: cerazette, cerelle
levonorgestrel: mirena, levonelle
etonogestrel: nexplanon, implanon
alteplase: tpa, actilyse
hydrochlorothiazide: hctz
bendroflumethiazide: bendroflumethiazide, bendrofluazide
nystatin: nystatin, nystan
oxytocin: oxytocin, syntocinon
=vitamin B complex: vitamin b co strong, vitamin b compound strong, vit b co strong, vit b co, neurobion, becosules
"""
"""Names that mean a medicine wherever they stand."""

_SUPPORTED = """
acetaminophen: apap
aspirin: asa
beta blockers: beta blocker, beta blockers, beta-blocker, beta-blockers, b-blocker
penicillins: pcn, penicillins
sulfonamides: sulfa
=ACE inhibitors: ace inhibitor, ace inhibitors, acei, ace-i, ace-inhibitor
direct oral anticoagulants: doac, doacs, noac, noacs
proton pump inhibitors: ppi, ppis, proton pump inhibitor, proton pump inhibitors
selective serotonin reuptake inhibitors: ssri, ssris
=opioids: opiates, opiate, opioids, opioid
corticosteroids: steroids, oral steroids, corticosteroids, steroid
calcium channel blockers: calcium channel blocker, ccb
amoxicillin + clavulanic acid: co-amoxi
acetylcysteine: nac
amiodarone: amio
phytomenadione: vit k, vitamin k
methylprednisolone: depomedrone, depo-medrone
piperacillin + tazobactam: taz
propylthiouracil: ptu
=botulinum toxin: botulinum toxin, botox
bisoprolol: bisop
nitroglycerin: nitro, sl nitro
pantoprazole: pan 40, pan 20
=SGLT2 inhibitors: sglt2i, sglt2 inhibitor, sglt2 inhibitors
clarithromycin: clarithro, clari
glycerin: glycerol, glycerin suppositories, glycerol suppositories
furosemide: furos
hydrocodone + acetaminophen: norco
hydrocortisone: hydrocort
gentamicin: gent
metronidazole: metro
prednisolone: pred
trimethoprim + sulfamethoxazole: septra
vancomycin: vanc
=vitamin D: vitamin d, vit d
iron: iron tablets, oral iron, iron infusion, iv iron
magnesium: iv magnesium
multivitamin: multivitamin, multivitamins, forceval, multivitamin tablet, zincovit
emollients: emollient, emollients, epaderm, cetraben, diprobase, dermol, e45, aqueous cream
mannitol: mannitol
nicotine: nicotine patch, nicotine patches, nicotine replacement, nicotine replacement therapy, nrt
sodium chloride: normal saline, saline nebs, hypertonic saline, sodium chloride nebules
oxygen: home oxygen
testosterone: testosterone
progesterone: progesterone
fluorouracil: 5-fu, 5fu
immunoglobulin: ivig, anti-d
ferrous sulfate: livogen, orofer, orofer xt
"""
"""Names that mean a medicine where the sentence treats them as one."""

_EVERYDAY = """
calcium: calcium
iron: iron
magnesium: magnesium
oxygen: oxygen
potassium: potassium
zinc: zinc
glucose: glucose
dextrose: dextrose
albumin: albumin
nicotine: nicotine
pantoprazole: pan
"""
"""Names of substances: a medicine only with a pharmaceutical amount."""


def names_of(table: str) -> dict[str, tuple[str, ...]]:
    """Read a table: each name with its ingredients."""
    found: dict[str, tuple[str, ...]] = {}
    for line in table.strip().splitlines():
        ingredients, _, names = line.partition(": ")
        found.update((name, tuple(ingredients.split(" + "))) for name in names.split(", "))
    return found


CERTAIN: Final = names_of(_CERTAIN)
SUPPORTED: Final = names_of(_SUPPORTED)
EVERYDAY: Final = names_of(_EVERYDAY)

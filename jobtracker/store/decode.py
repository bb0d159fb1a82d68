"""What the store holds, as models."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

_Told = TypeVar("_Told", bound=BaseModel)


def read(model: type[_Told], text: str, **nearest: Any) -> _Told | None:
    """What a worker has told, perhaps one of a newer release; None where too little of it can be read.

    Args:
        model: What it tells of.
        text: JSON.
        nearest: Fields to take for those that can't be read; others have their defaults.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        unread = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
    try:
        told = {name: value for name, value in json.loads(text).items() if name not in unread}
        return model.model_validate(told | {name: nearest[name] for name in unread & nearest.keys()})
    except (ValueError, AttributeError):
        return None

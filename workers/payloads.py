"""How the payload of a job is read."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workers.errors import InputError

P = TypeVar("P", bound=BaseModel)

_MOST_TOLD = 5


def read_payload(model: type[P], payload: Mapping[str, Any]) -> P:
    """Read a payload.

    Raises:
        InputError: It does not fit; the message says where and why, without the values.
    """
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    places = [f"{'.'.join(map(str, each['loc'])) or 'it'}: {_told(each)}" for each in found[:_MOST_TOLD]]
    more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    raise InputError(f"the payload does not fit. {'; '.join(places)}{more}")


def _told(error: ErrorDetails) -> str:
    """What is wrong, in pydantic's words; of a name that is none of several these quote the value."""
    if error["type"] == "union_tag_invalid":
        return f"{error['ctx']['discriminator']} is none of {error['ctx']['expected_tags']}"
    return error["msg"]

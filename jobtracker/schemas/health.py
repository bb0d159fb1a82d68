"""Whether the parts work."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Component(BaseModel):
    """The health of one part."""

    healthy: bool
    detail: str | None = Field(default=None, description="What is wrong.")
    latency_ms: float | None = None
    facts: dict[str, Any] = {}


class Health(BaseModel):
    """The health of the whole system, part by part."""

    status: Literal["healthy", "unhealthy"]
    service: str
    version: str
    request_id: str | None = None
    components: dict[str, Component] = Field(
        description="The parts: redis, broker, and for the operators' health also workers."
    )

"""Events of the live stream: hints of what changed."""

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import Status


class JobHint(BaseModel):
    """A job that has changed. Its record says how it is now; the hint may be older."""

    id: str
    what: list[str] = Field(
        description="What changed since the event before, each once. created. status: it has another one. progress: "
        "its progress only. changed: something else, for example its tags or its history. log: there are new lines "
        "in its log. deleted."
    )
    status: Status | str | None = Field(None, description="Its status then.")
    before: Status | str | None = Field(None, description="The status that it had before, if that changed.")
    job_type: str | None = None
    parent: str | None = Field(None, description="Its parent's id.")


class LiveEvent(BaseModel):
    """One event of the stream."""

    event: str = Field(
        "",
        description="ready: from here on nothing is missing. jobs: these have changed. reset: events are missing, "
        "so read anew. away: Redis is away; `ready` or `reset` follows when it is back.",
    )
    id: str = Field("", description="Where the stream goes on: give it as `last_event_id`.")
    jobs: list[JobHint] = Field([], description="The jobs that have changed, each once; at most 200.")
    many: int | None = Field(
        None, description="Set if there are more than 200: about how many. Then `jobs` is empty: read anew."
    )
    rest_ms: int = Field(
        0,
        description="Of `jobs`: wait so long before you read a list anew, so that all who listen together do not ask "
        "too much. It grows with their number.",
    )
    resumed: bool = Field(False, description="Of `ready`: nothing is missing since the event that was named.")
    detail: str | None = Field(None, description="Of `away` and `reset`: why.")

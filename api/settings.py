"""Settings of the API, on top of the library's."""

from pydantic import Field

from jobtracker.settings import Settings


class ApiSettings(Settings):
    """Where the API listens, what it calls itself, what it accepts."""

    service_name: str = Field(
        "distributed_job_tracking", pattern="^[!-~]([ -~]*[!-~])?$", description="In headers, logs and docs: ASCII."
    )
    debug: bool = Field(False, description="Log more, and tell unexpected errors to the caller.")
    api_host: str = Field("0.0.0.0", description="Where the API listens.")  # noqa: S104 (documented default)
    api_port: int = Field(19000, ge=0, le=65535, description="The port it listens on.")
    api_workers: int = Field(1, ge=1, le=1000, description="How many processes answer there.")
    max_request_bytes: int = Field(10 * 1024 * 1024, gt=0, description="Larger requests are refused with 413.")
    inspect_timeout_s: float = Field(1.0, gt=0, description="How long workers may take to answer.")
    inspect_cache_s: float = Field(2.0, ge=0, description="How long their answers are kept.")

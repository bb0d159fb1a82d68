"""What one job may use."""

from pydantic import Field

from jobtracker.settings import EnvironmentSettings


class Budget(EnvironmentSettings):
    """What one job may use; a job that needs more fails."""

    job_memory_mb: int = Field(
        1024,
        ge=64,
        le=2**20,
        description="Memory in MiB, on top of what its process takes without the input.",
    )
    job_cpu_s: int = Field(600, ge=1, le=10**7, description="CPU time in seconds, of all its threads.")
    job_wall_s: float = Field(900, gt=0, description="Time in seconds, once its process has loaded what it needs.")

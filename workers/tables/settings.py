"""Settings of data_processing, beside those of all documents (workers/folder.py)."""

from pathlib import Path

from pydantic import Field

from jobtracker.settings import EnvironmentSettings


class TableSettings(EnvironmentSettings):
    """What one job may take, and where large results go."""

    table_memory_mb: int = Field(512, ge=16, description="How much memory a job's database may take, in MB.")
    table_threads: int = Field(2, ge=1, le=256, description="In how many threads it works.")
    results_dir: Path | None = Field(
        None, description="The folder of results as files; default: in the system's temporary folder."
    )
    results_max_bytes: int = Field(4 * 1024**3, ge=0, description="What all files in it may take together.")

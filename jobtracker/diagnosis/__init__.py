"""Why a job is not done."""

"""Traces of OpenTelemetry: spans for what is sent and run, in one trace with what caused it.

Nothing here imports OpenTelemetry before the process has done so: where no SDK is configured, nothing is traced.
"""

from jobtracker.tracing.export import start_export

__all__ = ["start_export"]

"""The REST API: a thin layer over the library. Never imports a user's task code."""

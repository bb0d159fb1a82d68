"""Object storage: a local folder, or a bucket of Google Cloud Storage, for values that are too large for Redis."""

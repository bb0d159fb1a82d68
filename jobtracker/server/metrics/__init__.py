"""What Prometheus scrapes: the figures of the whole store, at any API process."""

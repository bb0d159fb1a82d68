"""Connections to Redis: a server, Sentinels, a cluster."""

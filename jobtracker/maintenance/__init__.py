"""Background services. One process at a time, the leader, runs them."""

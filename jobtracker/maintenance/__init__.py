"""Background services, of which one process at a time runs each."""

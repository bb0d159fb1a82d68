"""`jobtracker doctor`: recounts and repairs the store, and looks for known traps in the configuration."""

"""The commands, one module each. `jobtracker.cli.app` imports a module when its command runs."""

"""Which Hector this is."""

VERSION = "0.1.0"
"""As in pyproject.toml, which a test compares: to ask the installed package takes 20 ms of each start."""

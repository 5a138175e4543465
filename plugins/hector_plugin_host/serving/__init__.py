"""What a plugin may ask of its host: as far as granted, and for whoever waits for the plugin."""

from .door import Door

__all__ = ["Door"]

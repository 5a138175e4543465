"""What a plugin is written with: `serve(MyServicer())` in a program that Hector starts."""

from ._launch import Launch, NotStartedByHector
from ._serving import serve

__all__ = ["Launch", "NotStartedByHector", "serve"]

"""Puts the room together: strategies of this version and of plugins behind one servicer."""

from functools import partial

from hector.reasoning.v1 import add_ReasoningStrategyServicer_to_server
from hector_mesh import Mesh, Room
from hector_reasoning.config import ReasoningSection
from hector_reasoning.router import ReasoningRouter


def build(config: ReasoningSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.reasoning.v1.ReasoningStrategy`; it calls plugins alone."""
    return Room(register=partial(add_ReasoningStrategyServicer_to_server, ReasoningRouter(mesh)))

"""What is kept beside a run of how far its turn is, so that whoever takes it over can go on."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from hector.agent.v1 import TurnMemory
from hector.reasoning.v1 import Observation, ProcessIterationRequest, ProcessIterationResponse

FORMAT = 0x31544D54
"""Stands first in every memory: versions before kept a strategy's own bytes in its place."""


@dataclass(frozen=True, slots=True)
class InHand:
    """The decision that a turn carries out, and what came of it so far."""

    decision: ProcessIterationResponse
    iteration: int
    asked: int
    """Questions to models so far."""
    seen: tuple[Observation, ...] = ()
    """What its questions to models gave. What tools gave is in the log."""
    parked: bool = False
    """It waits for a person, and what the person said is not taken in yet."""


def written(
    decision: ProcessIterationResponse,
    iteration: int,
    asked: int,
    seen: Iterable[Observation] = (),
    *,
    parked: bool = False,
) -> bytes:
    """Return a memory as the store keeps it; `read` is its inverse."""
    memory = TurnMemory(
        format=FORMAT,
        decision=decision.SerializeToString(),
        iteration=iteration,
        asked=asked,
        parked=parked,
    )
    observations = list(seen)
    if observations:
        memory.seen = ProcessIterationRequest(observations=observations).SerializeToString()
    return memory.SerializeToString()


def read(data: bytes) -> InHand | None:
    """Return what a memory holds; None: there is none, or it cannot be read."""
    try:
        memory = TurnMemory.FromString(data)
        if memory.format != FORMAT:
            return None
        decision = ProcessIterationResponse.FromString(memory.decision)
        seen = ProcessIterationRequest.FromString(memory.seen).observations
    except DecodeError:
        return None
    return InHand(decision, memory.iteration, memory.asked, tuple(seen), memory.parked)

"""The keys of `storage.checkpoint:`: what becomes of runs whose process is gone.

Every step of a run is written down in any case. These keys say which places in its log are checkpoints, and
whether a run that has one goes on by itself.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hector_config import Duration, Misfit, Section
from hector_config.units import DURATION_PATTERN, parse_duration


class _IntervalSchema:
    """A number of iterations, or a time with its unit."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_interval, core_schema.any_schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 0}
        return {"anyOf": [number, {"type": "string", "pattern": rf"{DURATION_PATTERN}|\$\{{"}]}


def _interval(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, str):
        try:
            parse_duration(value)
        except PydanticCustomError:
            pass
        else:
            return value
    raise PydanticCustomError("interval", 'a number of iterations, as 5, or a time, as "30s"')


Interval = Annotated[int | str, _IntervalSchema()]


class RecoveryConfig(Section):
    """What becomes of runs that have a checkpoint when their process is gone."""

    auto_resume: bool = True
    """They go on by themselves, where they were. false: they wait for `hector task resume`."""
    auto_resume_hitl: bool = True
    """So do those in which a person was asked something and has answered. false: they wait to be resumed.
    Those that still wait for an answer go on waiting in any case."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many processes in a row may go while they work on a run, before it gets any further. Then it fails
    as RUN_KILLS_WORKERS and is a dead letter, which nobody tries again until it is requeued."""
    timeout: Duration = 3600.0
    """A run whose last step is older is not gone on with, and fails as RECOVERY_TIMED_OUT. 0: however old."""


class CheckpointConfig(Section):
    """From where a run may be gone on with when its process is gone."""

    enabled: bool = True
    """Runs are gone on with. false: one whose process is gone fails as INTERRUPTED."""
    strategy: Literal["event", "interval", "hybrid"] = "event"
    """What makes a checkpoint: event (model calls, tool calls, a person's answers), interval, or hybrid."""
    after_tools: bool = True
    """event, hybrid: each result of a tool is a checkpoint."""
    before_llm: bool = True
    """event, hybrid: so is each place before a model is asked; the first is the beginning of the run."""
    interval: Interval = 0
    """interval, hybrid: after so many answers of models (`5`), or the first step after so long (`30s`)."""
    recovery: RecoveryConfig = RecoveryConfig()
    """What becomes of runs that have a checkpoint."""

    @property
    def interval_iterations(self) -> int:
        """After how many iterations there is a checkpoint; 0: after none."""
        return self.interval if isinstance(self.interval, int) and self.strategy != "event" else 0

    @property
    def interval_s(self) -> float:
        """After how many seconds there is a checkpoint; 0: time does not matter."""
        if isinstance(self.interval, int) or self.strategy == "event":
            return 0.0
        return parse_duration(self.interval)

    @model_validator(mode="after")
    def _has_interval(self) -> Self:
        if self.strategy == "interval" and not self.interval:
            hint = "say how often, as interval: 5 (iterations) or interval: 30s"
            raise Misfit("required with strategy interval", at=("interval",), hint=hint)
        return self

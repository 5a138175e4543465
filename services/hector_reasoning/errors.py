"""Why a decision could not be made."""

from collections.abc import Collection

from grpc import StatusCode

from hector_mesh import HectorError


class StrategyNotFound(HectorError):
    """No strategy is called that. Name one that there is in `reasoning.strategy`."""

    code = StatusCode.NOT_FOUND
    reason = "STRATEGY_NOT_FOUND"

    def __init__(self, strategy: str, available: Collection[str]) -> None:
        names = ", ".join(sorted(available))
        super().__init__(
            f"no reasoning strategy is called {strategy!r} (available: {names})", strategy=strategy
        )


class StrategyNotAvailable(HectorError):
    """Hector knows the strategy, but this version has not got it."""

    code = StatusCode.NOT_FOUND
    reason = "STRATEGY_NOT_AVAILABLE"

    def __init__(self, strategy: str, available: Collection[str]) -> None:
        names = ", ".join(sorted(available))
        super().__init__(
            f"strategy {strategy!r} is known, but not available in this version (available: {names})",
            strategy=strategy,
        )


class OptionsInvalid(HectorError):
    """`reasoning.options` holds what the strategy does not know."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "STRATEGY_OPTIONS_INVALID"


class StateUnreadable(HectorError):
    """The state is not one that this version wrote. Initialize again from the conversation."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STATE_UNREADABLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"the strategy's state cannot be read: {why}; initialise again")


class PluginStateTooLarge(HectorError):
    """A plugin remembers more than may travel."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "STRATEGY_STATE_TOO_LARGE"

    def __init__(self, strategy: str, found: int, allowed: int) -> None:
        super().__init__(
            f"the state of strategy {strategy!r} has {found} bytes, and it travels with every call: at most "
            f"{allowed} are allowed",
            strategy=strategy,
            found=found,
            allowed=allowed,
        )


class NothingCameOfAsking(HectorError):
    """The model could not be asked, and the strategy has no other way."""

    code = StatusCode.ABORTED
    reason = "ASK_FAILED"

    def __init__(self, why: str) -> None:
        super().__init__(f"the model gave no answer: {why}")


class GoesInCircles(HectorError):
    """The model makes the same call again and again, and the same comes of it."""

    code = StatusCode.ABORTED
    reason = "MODEL_GOES_IN_CIRCLES"

    def __init__(self, tools: str, times: int, *, failed: bool) -> None:
        how = "and each time it failed" if failed else "and each time the same came of it"
        super().__init__(
            f"the model called {tools} {times} times in a row with the same arguments, {how}; ask "
            "differently, or look at the tool and at what the agent's instruction says about it",
            tool=tools,
            times=times,
        )

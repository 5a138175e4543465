"""The built-in strategy keeps the contract."""

from contracts.reasoning_strategy import ReasoningStrategySuite


class TestDefaultStrategy(ReasoningStrategySuite):
    """On both transports, by the fixture `reasoning`."""

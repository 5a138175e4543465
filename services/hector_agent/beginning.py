"""How an agent's runs begin: what its strategy says at the start, asked once where it says so."""

import time

from hector.reasoning.v1 import InitializeRequest, InitializeResponse, ReasoningStrategyStub

FRESH_S = 10.0
"""How long a beginning is good for: a strategy that was replaced is heard soon."""


class Beginning:
    """Begins runs with one strategy, and keeps how they begin when that is the same for all."""

    def __init__(self, strategy: ReasoningStrategyStub) -> None:
        self._strategy = strategy
        self._asked = b""
        self._answer = InitializeResponse()
        self._until = 0.0

    async def begin(self, request: InitializeRequest, run: str, history_length: int) -> InitializeResponse:
        """Return what the strategy says to a run that asks this.

        Args:
            request: What is the same for all runs of the agent, as long as its tools are.
            run: The run.
            history_length: How many messages its session had before.

        Raises:
            AioRpcError: The strategy cannot be asked, or says no.
        """
        asked = request.SerializeToString()
        if asked == self._asked and time.monotonic() < self._until:
            kept = InitializeResponse()
            kept.CopyFrom(self._answer)
            return kept
        request.run, request.history_length = run, history_length
        answer = await self._strategy.Initialize(request)
        if answer.reusable and not answer.error:
            self._asked, self._until = asked, time.monotonic() + FRESH_S
            self._answer.CopyFrom(answer)
        return answer

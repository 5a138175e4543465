"""Plays the beginning of a run in this process: python -m unittest."""

import unittest

from main import one_shot

from hector.reasoning.v1 import InitializeRequest, ProcessIterationRequest, ReasoningStrategyStub
from hector_plugin.testing import running


class OneShot(unittest.IsolatedAsyncioTestCase):
    async def test_it_asks_first(self) -> None:
        async with running(one_shot) as plugin:
            strategy = plugin.stub(ReasoningStrategyStub)
            begun = await strategy.Initialize(InitializeRequest())
            decided = await strategy.ProcessIteration(ProcessIterationRequest(state=begun.state))
        self.assertEqual([action.id for action in decided.actions], ["ask-1"])

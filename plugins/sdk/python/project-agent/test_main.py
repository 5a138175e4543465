"""Talks to the agent in this process: python -m unittest."""

import unittest

from main import Greeter

from hector.agent.v1 import AgentProviderStub, RunAgentRequest
from hector.common.v1 import ROLE_USER, Message, Part
from hector_plugin.testing import running


class Greeting(unittest.IsolatedAsyncioTestCase):
    async def test_it_counts_how_often_it_met_somebody(self) -> None:
        message = Message(role=ROLE_USER, parts=[Part(text="hi")])
        request = RunAgentRequest(agent="greeter", message=message, state_json='{"met": 1}')
        async with running(Greeter()) as plugin:
            events = [event async for event in plugin.stub(AgentProviderStub).RunAgent(request)]
        self.assertIn("We have met 2 times.", [event.text for event in events])

"""Asks the model in this process: python -m unittest."""

import unittest

from main import echo

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub
from hector_plugin.testing import running


class Echo(unittest.IsolatedAsyncioTestCase):
    async def test_it_says_what_was_said(self) -> None:
        async with running(echo) as plugin:
            answer = await plugin.stub(LLMProviderStub).GenerateText(
                GenerateTextRequest(prompt="hello there")
            )
        self.assertEqual(answer.text, "hello there")

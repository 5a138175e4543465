"""Shows texts to the guardrail in this process: python -m unittest."""

import unittest

from main import Cards

from hector.common.v1 import Part
from hector.guardrail.v1 import STAGE_USER_INPUT, CheckContentRequest, GuardrailStub
from hector_plugin.testing import running


class CardNumbers(unittest.IsolatedAsyncioTestCase):
    async def test_the_number_of_a_card_is_taken_out(self) -> None:
        said = CheckContentRequest(stage=STAGE_USER_INPUT, parts=[Part(text="it is 4111 1111 1111 1111.")])
        async with running(Cards()) as plugin:
            answer = await plugin.stub(GuardrailStub).CheckContent(said)
        self.assertEqual(answer.parts[0].text, "it is [card].")
        self.assertEqual([finding.rule for finding in answer.findings], ["pii.card"])

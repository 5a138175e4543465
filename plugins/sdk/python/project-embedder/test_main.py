"""Embeds texts in this process: python -m unittest."""

import unittest

from main import vectors

from hector.embedder.v1 import EmbedderProviderStub, EmbedTextRequest
from hector_plugin.testing import running


class Vectors(unittest.IsolatedAsyncioTestCase):
    async def test_a_vector_has_eight_floats(self) -> None:
        async with running(vectors) as plugin:
            answer = await plugin.stub(EmbedderProviderStub).EmbedText(EmbedTextRequest(text="hello"))
        self.assertEqual(len(answer.vector_f32), 8 * 4)

"""Reads a document in this process: python -m unittest."""

import unittest

from main import table

from hector.document.v1 import DocumentParserStub, ParseDocumentRequest
from hector_plugin.testing import running


class Table(unittest.IsolatedAsyncioTestCase):
    async def test_every_row_names_its_columns(self) -> None:
        document = ParseDocumentRequest(content=b"name,moons\nearth,1\nmars,2\n", file_name="planets.csv")
        async with running(table) as plugin:
            answer = await plugin.stub(DocumentParserStub).ParseDocument(document)
        self.assertEqual(
            [section.text for section in answer.sections], ["name: earth; moons: 1", "name: mars; moons: 2"]
        )

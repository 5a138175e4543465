"""Runs the plugin's tools in this process: python -m unittest."""

import unittest

from main import settings, upper, wait

from hector_plugin.testing import running


class Tools(unittest.IsolatedAsyncioTestCase):
    async def test_upper_case(self) -> None:
        async with running(upper, wait, settings=settings, config={"suffix": "!"}) as plugin:
            self.assertEqual((await plugin.call("upper", text="straße")).result, "STRASSE!")

    async def test_nobody_waits_for_less_than_nothing(self) -> None:
        async with running(upper, wait, settings=settings) as plugin:
            self.assertEqual((await plugin.call("wait", seconds=-1)).error, "seconds must not be negative")

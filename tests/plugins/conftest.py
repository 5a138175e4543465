"""The example plugins, in each language in turn."""

from collections.abc import Callable

import pytest
from support.plugin_examples import LANGUAGES, command


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def example(language: str) -> Callable[[str], tuple[str, ...]]:
    """What starts an example: "tool", "llm", "reasoning" or "embedder"."""
    return lambda name: command(language, name)

"""The room's servicer behind a mesh."""

import pytest

from hector.reasoning.v1 import ReasoningStrategyStub
from hector_reasoning import ReasoningSection, build


@pytest.fixture
async def reasoning(mesh_under_test) -> ReasoningStrategyStub:
    await mesh_under_test.serve(build(ReasoningSection(), mesh_under_test.mesh).register)
    return ReasoningStrategyStub(mesh_under_test.mesh)

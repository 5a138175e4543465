"""What every provider of tools must do: a built-in, a plugin, and the router in front of them."""

import asyncio
import json
import re

import grpc
import pytest
from grpc import StatusCode

from hector.tool.v1 import (
    ExecuteToolRequest,
    GetToolSchemaRequest,
    ListToolsRequest,
    StreamToolRequest,
    ToolProviderStub,
)
from hector_mesh import info_of, streaming

NOT_JSON = ["{", "[]", "3", '"text"', "null"]


class ToolProviderSuite:
    """Subclass it, provide the fixtures `tools` (a stub) and `a_call` (tool and arguments that work)."""

    @pytest.fixture
    def tools(self) -> ToolProviderStub:
        raise NotImplementedError

    @pytest.fixture
    def a_call(self) -> tuple[str, dict[str, object]]:
        raise NotImplementedError

    async def test_every_tool_says_what_a_model_must_know(self, tools: ToolProviderStub) -> None:
        """Contract: hector.common.v1.Tool."""
        listed = (await tools.ListTools(ListToolsRequest(), timeout=10)).tools
        assert listed
        assert len({tool.name for tool in listed}) == len(listed)
        for tool in listed:
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name)
            assert tool.description
            assert not tool.parameters_json or json.loads(tool.parameters_json)["type"] == "object"
            assert not tool.result_schema_json or isinstance(json.loads(tool.result_schema_json), dict)

    async def test_the_revision_stays_while_the_list_does(self, tools: ToolProviderStub) -> None:
        """Contract: ListToolsResponse.revision changes when the list changes."""
        first = await tools.ListTools(ListToolsRequest(), timeout=10)
        again = await tools.ListTools(ListToolsRequest(), timeout=10)
        assert first.revision == again.revision

    async def test_a_schema_is_what_the_list_says(self, tools: ToolProviderStub) -> None:
        """Contract: GetToolSchema."""
        for listed in (await tools.ListTools(ListToolsRequest(), timeout=10)).tools:
            schema = await tools.GetToolSchema(GetToolSchemaRequest(tool=listed.name), timeout=10)
            assert schema.tool == listed

    async def test_a_good_call_succeeds(
        self, tools: ToolProviderStub, a_call: tuple[str, dict[str, object]]
    ) -> None:
        """Contract: success, something for the model, no error."""
        name, arguments = a_call
        done = await tools.ExecuteTool(
            ExecuteToolRequest(tool=name, parameters_json=json.dumps(arguments)), timeout=10
        )
        assert done.success, done.error
        assert not done.error
        assert done.result or done.parts
        assert not done.structured_json or json.loads(done.structured_json) is not None
        assert not done.state_delta_json or isinstance(json.loads(done.state_delta_json), dict)

    async def test_a_dry_run_succeeds_and_changes_nothing(
        self, tools: ToolProviderStub, a_call: tuple[str, dict[str, object]]
    ) -> None:
        """Contract: dry_run says what would happen."""
        name, arguments = a_call
        request = ExecuteToolRequest(tool=name, parameters_json=json.dumps(arguments), dry_run=True)
        done = await tools.ExecuteTool(request, timeout=10)
        assert done.success
        assert done.result
        assert not done.state_delta_json
        assert not done.artifacts

    async def test_a_streamed_call_ends_in_exactly_one_result(
        self, tools: ToolProviderStub, a_call: tuple[str, dict[str, object]]
    ) -> None:
        """Contract: the result is the last message. The rpc is optional."""
        name, arguments = a_call
        request = StreamToolRequest(tool=name, parameters_json=json.dumps(arguments))
        kinds = await self._streamed(tools, request)
        assert kinds is None or (kinds.count("result") == 1 and kinds[-1] == "result")

    async def _streamed(self, tools: ToolProviderStub, request: StreamToolRequest) -> list[str] | None:
        """Return what kinds of events came; None if the provider leaves the rpc out."""
        try:
            async with asyncio.timeout(10), streaming(tools.StreamTool(request)) as events:
                return [str(event.WhichOneof("event")) async for event in events]
        except grpc.aio.AioRpcError as error:
            if error.code() is StatusCode.UNIMPLEMENTED:
                return None
            raise

    async def test_a_tool_that_is_not_there_is_not_found(self, tools: ToolProviderStub) -> None:
        """Contract: NOT_FOUND, TOOL_NOT_FOUND."""
        for call in (
            tools.ExecuteTool(ExecuteToolRequest(tool="no_such_tool"), timeout=10),
            tools.GetToolSchema(GetToolSchemaRequest(tool="no_such_tool"), timeout=10),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call
            assert failed.value.code() is StatusCode.NOT_FOUND
            assert info_of(failed.value).reason == "TOOL_NOT_FOUND"

    @pytest.mark.parametrize("written", NOT_JSON)
    async def test_arguments_that_are_no_object_are_refused(
        self, tools: ToolProviderStub, a_call: tuple[str, dict[str, object]], written: str
    ) -> None:
        """Contract: INVALID_ARGUMENT, TOOL_ARGUMENTS_INVALID; models do write such things."""
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await tools.ExecuteTool(ExecuteToolRequest(tool=a_call[0], parameters_json=written), timeout=10)
        assert failed.value.code() is StatusCode.INVALID_ARGUMENT
        assert info_of(failed.value).reason == "TOOL_ARGUMENTS_INVALID"

    async def test_calls_run_side_by_side(
        self, tools: ToolProviderStub, a_call: tuple[str, dict[str, object]]
    ) -> None:
        """Contract: tools keep nothing between two calls."""
        name, arguments = a_call
        request = ExecuteToolRequest(tool=name, parameters_json=json.dumps(arguments))

        async def once() -> str:
            return (await tools.ExecuteTool(request, timeout=20)).result

        async with asyncio.timeout(20):
            assert len(set(await asyncio.gather(*(once() for _ in range(20))))) == 1

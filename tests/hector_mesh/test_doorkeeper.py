"""What the outermost interceptor does about callers that leave."""

import asyncio

import grpc
import pytest

from hector_mesh.doorkeeper import Doorkeeper


class Details:
    method = "/hector.testing.echo.v1.Echo/Spell"
    invocation_metadata = ()


class Gone:
    """The context of a call whose caller went: grpc's core takes no message any more."""

    async def write(self, message):
        raise grpc.aio.InternalError("Failed grpc_call_start_batch")


async def test_a_message_for_a_caller_that_is_gone_ends_the_call_in_silence():
    """Ours: whatever a servicer raises but this, grpc logs as its failure."""
    closed = asyncio.Event()

    async def spell(request, context):
        try:
            while True:
                yield b"letter"
        finally:
            closed.set()

    async def found(details):
        return grpc.unary_stream_rpc_method_handler(spell)

    guarded = await Doorkeeper(None).intercept_service(found, Details)
    with pytest.raises(asyncio.CancelledError):
        await guarded.unary_stream(b"", Gone())
    assert closed.is_set()

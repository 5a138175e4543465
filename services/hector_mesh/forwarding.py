"""A servicer that hands every call on: how a plugin stands where a built-in could."""

from typing import Any, TypeVar

from grpc.aio import UnaryStreamMultiCallable

from .call import streaming

Servicer = TypeVar("Servicer")


def forwarding(servicer: type[Servicer], stub: object) -> Servicer:
    """Return a servicer of a contract, each of whose methods calls the method of that name of a stub.

    Deadline, identity and cancellation go along, since the stub's channel is a `Mesh`; a failure keeps its
    status and its details. Who wants one method otherwise derives from what this returns the type of.

    Args:
        servicer: The generated class, as `ToolProviderServicer`.
        stub: The contract's stub over whatever is to answer.
    """
    methods: dict[str, Any] = {}
    for name, left_out in vars(servicer).items():
        ask = getattr(stub, name, None)
        if name.startswith("_") or not callable(left_out) or ask is None:
            continue
        methods[name] = _stream(ask) if isinstance(ask, UnaryStreamMultiCallable) else _unary(ask)
    made = type(f"Forwarding{servicer.__name__}", (servicer,), methods)
    found: Servicer = made()
    return found


def _unary(ask: Any) -> Any:
    async def unary(self: object, request: Any, context: Any) -> Any:
        return await ask(request)

    return unary


def _stream(ask: Any) -> Any:
    async def stream(self: object, request: Any, context: Any) -> Any:
        async with streaming(ask(request)) as answers:
            async for answer in answers:
                yield answer

    return stream

"""Serves methods to callers in this process where a CallInterceptor is all that stands before them.

To a servicer and its caller this is what LocalContext.serve and that interceptor are, one around the other.
Most calls there are come this way, and it takes them half the steps.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from grpc.aio import AbortError

from .call import current_call
from .interceptor import UnreadableRequest, answer_failure
from .local_context import Handler, LocalContext

Serve = Callable[[bytes, LocalContext], Coroutine[Any, Any, None]]
"""Runs a method for a request, as it travels, to its end."""

_GIVEN = "answers_are_given_away"
Method = TypeVar("Method", bound=Callable[..., Any])


def gives_away(method: Method) -> Method:
    """Mark a servicer's method with one answer, which is new each time and nobody's but the caller's.

    Within a process such an answer need not be copied for either side not to see what the other does to it.
    """
    setattr(method, _GIVEN, True)
    return method


def serving(handler: Handler, method: str) -> Serve:
    """Return what serves a method that takes one request."""
    return _stream(handler, method) if handler.response_streaming else _unary(handler, method)


def _unary(handler: Handler, method: str) -> Serve:
    behavior, encode = handler.unary_unary, handler.response_serializer or bytes
    decode = handler.request_deserializer or bytes
    is_given = getattr(behavior, _GIVEN, False)

    async def serve(wire: bytes, context: LocalContext) -> None:
        # Each call has a task of its own: there is nothing to reset.
        current_call.set(call := context.call())
        try:
            try:
                try:
                    request = decode(wire)
                except DecodeError:
                    raise UnreadableRequest(method) from None
                answer = await behavior(request, context)
                if not is_given or not context.takes(answer):
                    answer = encode(answer)
            except AbortError:
                raise
            except BaseException as error:
                await answer_failure(context, error, call, method)
            finally:
                call.end()
            context.answer(answer)
        except asyncio.CancelledError:
            context.stopped()
            raise
        except Exception as error:  # a border: whatever a servicer raises ends its call, and only that
            context.failed(error)
        finally:
            context.over()

    return serve


def _stream(handler: Handler, method: str) -> Serve:
    behavior, encode = handler.unary_stream, handler.response_serializer or bytes
    decode = handler.request_deserializer or bytes

    async def serve(wire: bytes, context: LocalContext) -> None:
        current_call.set(call := context.call())
        context.serialize = encode
        try:
            try:
                try:
                    request = decode(wire)
                except DecodeError:
                    raise UnreadableRequest(method) from None
                produced = behavior(request, context)
                del request  # a stream that waits would keep it
                await context.say_all(produced)
            except AbortError:
                raise
            except BaseException as error:
                await answer_failure(context, error, call, method)
            finally:
                call.end()
            context.end()
        except asyncio.CancelledError:
            context.stopped()
            raise
        except Exception as error:  # a border: whatever a servicer raises ends its call, and only that
            context.failed(error)
        finally:
            context.over()

    return serve

"""What a channel hands to a stub: one object per method, called once per call."""

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from . import tracing
from .channel import Request, Response
from .intercepted import InterceptedStreamCall, InterceptedUnaryCall, Start


def unary(start: Start, method: str) -> "grpc.aio.UnaryUnaryMultiCallable[Any, Any]":
    """Return the callable of a method with one answer; traced when tracing is on."""
    interceptors = tracing.client_interceptors()
    return _Unary(start, method, interceptors) if interceptors else start  # type: ignore[return-value]


def stream(start: Start, method: str) -> "grpc.aio.UnaryStreamMultiCallable[Any, Any]":
    """Return the callable of a method with many answers; traced when tracing is on."""
    interceptors = tracing.client_interceptors()
    return _Stream(start, method, interceptors) if interceptors else start  # type: ignore[return-value]


class _Method:
    def __init__(self, start: Start, method: str, interceptors: Sequence[grpc.aio.ClientInterceptor]) -> None:
        self._start = start
        self._method = method
        self._interceptors = interceptors


class _Unary(_Method, grpc.aio.UnaryUnaryMultiCallable[Request, Response]):
    def __call__(
        self, request: Request, *, timeout: float | None = None, metadata: Any = None, **options: Any
    ) -> "grpc.aio.UnaryUnaryCall[Request, Response]":
        return InterceptedUnaryCall(self._start, self._interceptors, self._method, request, timeout, metadata)


class _Stream(_Method, grpc.aio.UnaryStreamMultiCallable[Request, Response]):
    def __call__(
        self, request: Request, *, timeout: float | None = None, metadata: Any = None, **options: Any
    ) -> "grpc.aio.UnaryStreamCall[Request, Response]":
        return InterceptedStreamCall(
            self._start, self._interceptors, self._method, request, timeout, metadata
        )

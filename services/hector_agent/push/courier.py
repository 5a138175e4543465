"""Carries notifications out of the house: through the one HTTP client, by the rules for strangers' URLs."""

from time import perf_counter
from types import TracebackType
from typing import Self

from hector_a2a.push_config import PushConfig
from hector_http import HttpClient
from hector_store import PushRow

from . import measuring
from .attempt import Failure, attempt
from .notice import Notice
from .request import request_of
from .signing import Signer


class Courier:
    """Sends notifications; open it with `async with`. Made with the first one: most servers have none."""

    def __init__(self, config: PushConfig, signer: Signer) -> None:
        self._config, self._signer = config, signer
        self._http = HttpClient(allowed=config.allowed_networks)

    def renewed(self, config: PushConfig, signer: Signer) -> bool:
        """Go by another config from the next notification on; False: it leads elsewhere, so another must."""
        if config.allowed_networks != self._config.allowed_networks:
            return False
        self._config, self._signer = config, signer
        return True

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def deliver(self, row: PushRow, notice: Notice) -> Failure | None:
        """Send one notification; None: the receiver has confirmed it."""
        begun = perf_counter()
        if row.url.lower().startswith("http:") and not self._config.allow_http:
            message = "webhooks need https; server.a2a.push.allow_http permits others"
            failure: Failure | None = Failure("HTTP_NOT_ALLOWED", message, is_final=True)
        else:
            failure = await attempt(self._http, request_of(row, notice, self._signer, self._config.timeout))
        measuring.attempted(row.agent, begun, failure.reason if failure else "")
        return failure

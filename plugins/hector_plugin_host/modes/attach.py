"""A plugin that somebody else runs: at an address, over TLS or within this machine."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio

from hector_plugin_host.connecting import NotServing, Unanswered, open_channel, until_serving
from hector_plugin_host.plan import PluginPlan, Tls
from hector_plugin_host.process import ExitInfo, Metadata
from hector_plugin_host.start_failed import AddressRefused, PluginStartFailed, quoted


class Attached:
    """One connection to it; `PluginProcess` says what of it is for others."""

    def __init__(
        self, plan: PluginPlan, generation: int, channel: grpc.aio.Channel, metadata: Metadata
    ) -> None:
        self.plan, self.generation = plan, generation
        self.target, self.channel, self.metadata = plan.address, channel, metadata
        self.host_target = ""
        self.pid: int | None = None
        self.serves_health = True
        self.tier = "none"
        self.ready_s = 0.0
        self.exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()

    def tail(self) -> tuple[str, ...]:
        """Return nothing: what it prints, somebody else reads."""
        return ()

    def kill(self, reason: str) -> None:
        """Give it up; it is not ours to kill."""
        self.gone(reason, wanted=False)

    async def end(self, grace_s: float = 0.0, reason: str = "stopped") -> None:
        """Let go of it; whoever started it ends it."""
        self.gone(reason, wanted=True)
        await self.channel.close()

    def gone(self, reason: str, *, wanted: bool) -> None:
        """Say that it is used no more."""
        if not self.exited.done():
            self.exited.set_result(ExitInfo(reason=reason, wanted=wanted))


@asynccontextmanager
async def attached(plan: PluginPlan, generation: int) -> AsyncIterator[Attached]:
    """Give a plugin that is there already, once it says that it serves.

    Raises:
        AddressRefused: The address cannot be used as it is.
        PluginStartFailed: Nothing there serves.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    credentials = credentials_of(plan)
    server_name = plan.tls.server_name if plan.tls else ""
    channel = open_channel(plan.address, plan, credentials, server_name)
    process = Attached(plan, generation, channel, _metadata(plan))
    try:
        process.serves_health = await _serves(process)
        process.ready_s = loop.time() - begun
        yield process
    finally:
        await process.end()


def is_local(address: str) -> bool:
    """Say whether an address is one of this machine alone."""
    if address.startswith("unix:"):
        return True
    host = address.removeprefix("dns:").lstrip("/").rpartition(":")[0].removeprefix("[").removesuffix("]")
    for scheme in ("ipv4:", "ipv6:"):
        host = host.removeprefix(scheme).removeprefix("[")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def credentials_of(plan: PluginPlan) -> grpc.ChannelCredentials | None:
    """Return how a plugin that runs already is spoken to; None: in plain text.

    Raises:
        AddressRefused: The address cannot be used as it is.
    """
    if not plan.address:
        raise AddressRefused(plan.name, "it has no address", "say `address: host:port`", final=True)
    if plan.tls is not None:
        return _read(plan, plan.tls)
    if is_local(plan.address) or plan.insecure:
        return None
    raise AddressRefused(
        plan.name,
        f"{plan.address} is beyond this machine, and nothing would be encrypted",
        "add `tls: {ca: …}`, or, where the network itself can be trusted, `insecure: true`",
        final=True,
    )


def _read(plan: PluginPlan, tls: Tls) -> grpc.ChannelCredentials:
    def read(path: Path | None) -> bytes | None:
        try:
            return path.read_bytes() if path is not None else None
        except OSError as error:
            why = f"{path} cannot be read: {error.strerror}"
            raise AddressRefused(plan.name, why, "mend `tls`", final=True) from error

    if (tls.cert is None) != (tls.key is None):
        raise AddressRefused(
            plan.name, "`tls` names one of cert and key", "name both, or neither", final=True
        )
    return grpc.ssl_channel_credentials(read(tls.ca), read(tls.key), read(tls.cert))


def _metadata(plan: PluginPlan) -> Metadata:
    pairs = [("hector-token", plan.token)] if plan.token else []
    if plan.bearer:
        pairs.append(("authorization", f"Bearer {plan.bearer}"))
    return tuple(pairs)


async def _serves(process: Attached) -> bool:
    plan = process.plan
    limit = f"{plan.limits.start_timeout_s:g} s"
    try:
        return await until_serving(process.channel, process.metadata, plan.limits.start_timeout_s)
    except NotServing:
        why = f"what runs at {plan.address} still says NOT_SERVING after {limit}"
        raise PluginStartFailed(plan.name, why, "see what it waits for") from None
    except Unanswered as error:
        why = f"nothing answers at {plan.address} within {limit}"
        why += f" ({quoted(str(error))})" if str(error) else ""
        raise PluginStartFailed(plan.name, why, f"start it, or mend {_what(plan)}") from None
    except grpc.aio.AioRpcError as error:
        told = quoted(error.details() or "")
        why = f"asked for its health, {plan.address} answers {error.code().name}: {told}"
        raise PluginStartFailed(plan.name, why, "see to `tls`, `auth` and `address`") from error


def _what(plan: PluginPlan) -> str:
    return "`address`" if plan.tls is None else "`address` or `tls`"

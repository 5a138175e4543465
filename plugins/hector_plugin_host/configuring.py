"""The talk between a new process and its being ready: who it is, whether its settings will do, then those."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc.aio
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.plugin.v1 import (
    ConfigureRequest,
    Diagnostic,
    GetInfoRequest,
    GetInfoResponse,
    PluginKind,
    PluginStub,
    ValidateConfigRequest,
)

from .clock import Clock
from .plan import PluginPlan
from .process import PluginProcess
from .redacting import redacted
from .start_failed import PluginStartFailed
from .watching import serves

log = logging.getLogger(__name__)

HOST_FEATURES = ("host-services", "vector_f32", "hector-instance", "hector-call")
AGAIN_S = 0.05


class PluginMisconfigured(PluginStartFailed):
    """It does not accept its settings, or is not what they take it for."""

    reason = "PLUGIN_MISCONFIGURED"

    def __init__(self, plugin: str, why: str, fix: str = "") -> None:
        super().__init__(plugin, why, fix, final=True)


class PluginSilent(PluginStartFailed):
    """It broke the talk off."""

    reason = "PLUGIN_SILENT"


@dataclass(frozen=True, slots=True)
class Told:
    """What the host tells a plugin, beside its plan."""

    host_version: str = ""
    host_target: str = ""
    """Where HostServices is; empty if nothing is granted."""


class Introduced(NamedTuple):
    """A process that is ready for calls."""

    info: GetInfoResponse | None
    """What it says of itself; None: nothing."""
    channel: grpc.aio.Channel
    """Where it is called: its own, or what translates for it."""
    farewell: Callable[[float], Awaitable[None]] | None = None
    """Tells it that it is to end, within so many seconds, where `Plugin.Shutdown` would not."""


async def introduced(
    process: PluginProcess, plan: PluginPlan, told: Told, clock: Clock, limit_s: float
) -> Introduced:
    """Make a process ready for calls.

    Raises:
        PluginMisconfigured: It does not accept its settings, or is not what they take it for.
        PluginSilent: It did not answer, or not in time.
    """
    try:
        async with clock.timeout(limit_s):
            info = await _info(process, told, limit_s)
            if info is None and (older := await _older(process, plan)) is not None:
                check_kinds(plan, older.info)
                return older
            check_kinds(plan, info)
            await settings(process, plan, told, info, limit_s)
            while not await serves(process.channel, process.metadata, "", limit_s):
                await clock.sleep(AGAIN_S)
    except TimeoutError:
        raise PluginSilent(plan.name, f"it did not get ready within {limit_s:g} s") from None
    except AioRpcError as error:
        said = redacted(error.details() or "", plan.secrets)
        is_stranger = error.code() is StatusCode.UNAUTHENTICATED and not plan.starts_a_process
        fix = "see to `auth` of its entry" if is_stranger else ""
        raise PluginSilent(plan.name, f"it answered {error.code().name}: {said}", fix) from None
    return Introduced(info, process.channel)


async def settings(
    process: PluginProcess, plan: PluginPlan, told: Told, info: GetInfoResponse | None, limit_s: float
) -> None:
    """Give a process its settings, after it and its schema found nothing wrong with them.

    Raises:
        PluginMisconfigured: They will not do; it goes by those that it had.
        AioRpcError: It did not answer.
    """
    if info is not None and info.config_schema_json:
        check_schema(plan, info.config_schema_json)
    stub = PluginStub(process.channel)
    carried: Any = process.metadata
    validate = ValidateConfigRequest(config_json=plan.config_json, instances=plan.instances)
    try:
        validated = await stub.ValidateConfig(validate, metadata=carried, timeout=limit_s)
        _check(plan, validated.diagnostics)
    except AioRpcError as error:
        if error.code() is not StatusCode.UNIMPLEMENTED:
            raise
    configure = ConfigureRequest(
        config_json=plan.config_json,
        instances=plan.instances,
        data_dir=str(plan.data_dir or ""),
        host_target=told.host_target,
    )
    try:
        configured = await stub.Configure(configure, metadata=carried, timeout=limit_s)
        _check(plan, configured.diagnostics)
    except AioRpcError as error:
        if error.code() is not StatusCode.UNIMPLEMENTED:
            raise
        if plan.config_json not in ("", "{}"):
            log.warning("plugin takes no settings and got none", extra={"plugin": plan.name})


async def _older(process: PluginProcess, plan: PluginPlan) -> Introduced | None:
    """Return a plugin of v1.9.9's contract, with its settings; None: it is none.

    Raises:
        PluginMisconfigured: It does not accept them.
        AioRpcError: It did not answer.
    """
    from .legacy import PluginSaidNo, translated

    try:
        found = await translated(process, plan)
    except PluginSaidNo as error:
        said = redacted(str(error), plan.secrets)
        raise PluginMisconfigured(plan.name, f"it does not accept its config: {said}") from None
    return Introduced(found.info, found.channel, found.farewell) if found is not None else None


async def _info(process: PluginProcess, told: Told, limit_s: float) -> GetInfoResponse | None:
    request = GetInfoRequest(host_name="hector", host_version=told.host_version, host_features=HOST_FEATURES)
    carried: Any = process.metadata
    try:
        return await PluginStub(process.channel).GetInfo(request, metadata=carried, timeout=limit_s)
    except AioRpcError as error:
        if error.code() is StatusCode.UNIMPLEMENTED:
            return None
        raise


def check_kinds(plan: PluginPlan, info: GetInfoResponse | None) -> None:
    """Refuse a plugin that is used as something that it says it is not.

    Raises:
        PluginMisconfigured: It is.
    """
    if info is None or not info.components:
        return
    serves_kinds = {component.kind for component in info.components}
    if missing := [kind for kind in plan.kinds if kind not in serves_kinds]:
        wanted, offered = _names(missing), _names(serves_kinds)
        raise PluginMisconfigured(
            plan.name,
            f"the configuration uses it as {wanted}, and it says that it is {offered}",
            "put it under the kind that it is, or name another executable",
        )


def check_schema(plan: PluginPlan, schema_json: str) -> None:
    """Hold a plan's settings to a JSON Schema.

    Raises:
        PluginMisconfigured: They differ.
    """
    from .schema_check import UnusableSchema, problems

    try:
        found = problems(schema_json, plan.config_json)
    except UnusableSchema as error:
        facts = {"plugin": plan.name, "error": redacted(str(error), plan.secrets)}
        log.warning("plugin gave a schema of its settings that is none", extra=facts)
        return
    if found:
        told = redacted("; ".join(found), plan.secrets)
        raise PluginMisconfigured(plan.name, f"its config is not what its schema wants: {told}")


def _check(plan: PluginPlan, diagnostics: Sequence[Diagnostic]) -> None:
    """Log warnings and raise errors."""
    wrong = []
    for one in diagnostics:
        where = f"{one.path}:" if one.path else ""
        text = redacted(" ".join(filter(None, (where, one.summary, one.detail))), plan.secrets)
        if one.severity == Diagnostic.SEVERITY_WARNING:
            log.warning("plugin warned of its settings", extra={"plugin": plan.name, "warning": text})
        else:
            wrong.append(text)
    if wrong:
        raise PluginMisconfigured(plan.name, f"it does not accept its config: {'; '.join(wrong)}")


def _names(kinds: Iterable["PluginKind.ValueType"]) -> str:
    return ", ".join(PluginKind.Name(kind).removeprefix("PLUGIN_KIND_").lower() for kind in sorted(kinds))

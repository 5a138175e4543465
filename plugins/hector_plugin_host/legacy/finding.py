"""Finds out whether a plugin that says nothing of itself is one of v1.9.9's, and gets it ready."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc.aio
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.plugin.v1 import (
    PLUGIN_KIND_DATABASE_PROVIDER,
    PLUGIN_KIND_DOCUMENT_PARSER,
    PLUGIN_KIND_EMBEDDER_PROVIDER,
    PLUGIN_KIND_LLM_PROVIDER,
    Component,
    GetInfoResponse,
)
from hector_mesh import LocalChannel, LocalServer, interceptors
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.process import PluginProcess

from .asking import Service, done
from .wire import message

_KINDS = {
    "LLMProvider": (PLUGIN_KIND_LLM_PROVIDER, "hector.llm.v1.LLMProvider"),
    "DatabaseProvider": (PLUGIN_KIND_DATABASE_PROVIDER, "hector.vector.v1.DatabaseProvider"),
    "EmbedderProvider": (PLUGIN_KIND_EMBEDDER_PROVIDER, "hector.embedder.v1.EmbedderProvider"),
    "DocumentParserService": (PLUGIN_KIND_DOCUMENT_PARSER, "hector.document.v1.DocumentParser"),
}
PARSER = "DocumentParserService"


@dataclass(frozen=True, slots=True)
class Translated:
    """A plugin of v1.9.9's, as one of today's."""

    info: GetInfoResponse
    channel: grpc.aio.Channel
    """Serves today's contracts."""
    farewell: Callable[[float], Awaitable[None]]
    """Tells it that it is to end, within so many seconds: each service has a Shutdown of its own."""


async def translated(process: PluginProcess, plan: PluginPlan) -> Translated | None:
    """Return a plugin of v1.9.9's as one of today's, with its settings; None: it is none of them.

    Raises:
        PluginSaidNo: It does not accept its settings.
        AioRpcError: It did not answer.
    """
    found = {name: about for name in _KINDS if (about := await _about(process, name)) is not None}
    if not found:
        return None
    server = LocalServer(interceptors())
    told: list[Service] = []
    for name in found:
        service = Service(process, name)
        if name != PARSER:  # which has no way to be told anything
            await done(service.ask("Initialize", _settings(plan), "Outcome"))
            told.append(service)
        _adders()[name](service, plan, server)
    about = next(iter(found.values()))
    components = [Component(kind=_KINDS[name][0], service=_KINDS[name][1]) for name in found]
    info = GetInfoResponse(
        name=getattr(about, "name", "") or plan.name,
        version=getattr(about, "version", "") or "0.0.0",
        components=components,
        labels={"contract": "v1.9.9"},
    )
    return Translated(info, LocalChannel(server), partial(_farewell, told))


async def _farewell(services: Sequence[Service], limit_s: float) -> None:
    """Let each service put by what it has in hand; one that cannot, or does not answer, ends as it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            for service in services:
                with suppress(AioRpcError):
                    await service.ask("Shutdown", message("Empty")(), "Outcome")


async def _about(process: PluginProcess, name: str) -> Any:
    """Return what one service says of itself; None: there is no such service."""
    rpc, answer = ("GetSupportedExtensions", "Extensions") if name == PARSER else ("GetManifest", "Manifest")
    try:
        return await Service(process, name).ask(rpc, message("Empty")(), answer)
    except AioRpcError as error:
        if error.code() is StatusCode.UNIMPLEMENTED:
            return None
        raise


def _settings(plan: PluginPlan) -> Any:
    """Return settings as strings; what is none goes as JSON, where v1.9.9 left it out."""
    values: dict[str, Any] = json.loads(plan.config_json or "{}")
    shown = {key: one if isinstance(one, str) else json.dumps(one) for key, one in values.items()}
    entries = [message("ConfigEntry")(key=key, value=value) for key, value in shown.items()]
    return message("InitializeRequest")(config=entries)


def _adders() -> dict[str, Callable[[Service, PluginPlan, LocalServer], None]]:
    from hector.document.v1 import add_DocumentParserServicer_to_server
    from hector.embedder.v1 import add_EmbedderProviderServicer_to_server
    from hector.llm.v1 import add_LLMProviderServicer_to_server
    from hector.vector.v1 import add_DatabaseProviderServicer_to_server

    from .database import TranslatedDatabase
    from .embedder import TranslatedEmbedder
    from .model import TranslatedModel
    from .parser import TranslatedParser

    return {
        "LLMProvider": lambda service, plan, server: add_LLMProviderServicer_to_server(
            TranslatedModel(service), server
        ),
        "DatabaseProvider": lambda service, plan, server: add_DatabaseProviderServicer_to_server(
            TranslatedDatabase(service), server
        ),
        "EmbedderProvider": lambda service, plan, server: add_EmbedderProviderServicer_to_server(
            TranslatedEmbedder(service), server
        ),
        PARSER: lambda service, plan, server: add_DocumentParserServicer_to_server(
            TranslatedParser(service, plan.data_dir), server
        ),
    }

"""I: what a plugin says that it is, and how it is configured."""

import json
import re
import secrets
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.plugin.v1 import Diagnostic, PluginStub, ValidateConfigRequest
from hector_plugin._json_schema import pointed, problems_of_schema
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, Unconfigured, check
from hector_plugin.conformance.connected import Plugin, answer_of, short
from hector_plugin.conformance.kinds import KINDS, quick
from hector_plugin.conformance.samples import of_another_type, sample_of
from hector_plugin.conformance.stage import Stage, schema_of
from hector_plugin.conformance.subject import name_of

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?")


@check(
    "I1",
    MUST,
    "it says what it is before it is configured",
    rule="Plugin.GetInfo works before Configure; name is not empty and version is one of semver.org; "
    "at least one component",
    mend="answer GetInfo from constants; give name, version and components",
)
async def says_what_it_is(stage: Stage) -> None:
    async with stage.connected(configure=False) as plugin:
        _identified(plugin)
        assert plugin.info is not None
        if not plugin.info.name.strip():
            raise Broken("the name is empty", "GetInfo {}")
        if not SEMVER.fullmatch(plugin.info.version):
            raise Broken(f"version {plugin.info.version!r}", "GetInfo {}")
        if not plugin.info.components:
            raise Broken("no components", "GetInfo {}")


@check(
    "I8",
    MUST,
    "it takes a good configuration",
    rule="Configure with a configuration that its schema allows has no diagnostics of severity error",
    mend="give the kit a configuration that works (--config), or say in the schema what is required",
)
async def takes_its_configuration(stage: Stage) -> None:
    try:
        async with stage.connected() as plugin:
            _identified(plugin)
    except Unconfigured as refused:
        raise Broken(str(refused)) from None


@check(
    "I2",
    MUST,
    "everything that it lists is there",
    rule="a component's service is that of its kind, and every rpc that it lists is served: not "
    "UNIMPLEMENTED",
    mend="list in Component.rpcs only what is written; register every service on the server",
)
async def what_it_lists_is_there(stage: Stage) -> None:
    plugin = _identified(await stage.shared())
    assert plugin.info is not None
    for component in plugin.info.components:
        kind = KINDS.get(component.kind)
        if kind is None:
            continue
        if component.service != kind.service:
            raise Broken(f"{name_of(component.kind)} is served as {component.service!r}", "GetInfo {}")
        found = await plugin.answer(*quick(component.kind)[:3])
        if found.code is StatusCode.UNIMPLEMENTED:
            raise Broken(str(found))
        for rpc in component.rpcs:
            await _is_served(plugin, component.service, rpc)


@check(
    "I3",
    MUST,
    "the schema of its configuration is one",
    rule="GetInfoResponse.config_schema_json is empty, or a JSON Schema of an object",
    mend="write JSON Schema 2020-12 with type: object",
)
async def schema_is_one(stage: Stage) -> None:
    plugin = _identified(await stage.shared())
    assert plugin.info is not None
    text = plugin.info.config_schema_json
    if not text:
        raise NotApplicable("it has no schema")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Broken(f"config_schema_json is no JSON: {error}", "GetInfo {}") from None
    wrong = problems_of_schema(schema)
    if wrong:
        raise Broken(f"config_schema_json: {wrong[0]}", "GetInfo {}")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Broken("config_schema_json is not of an object (type: object)", "GetInfo {}")


@check(
    "I4",
    MUST,
    "it says what is wrong with a configuration",
    rule="ValidateConfig and Configure answer a bad configuration with an OK status and Diagnostics of "
    "severity error, "
    "with the path of what is wrong; the plugin lives on",
    mend="check config_json against your schema; return a Diagnostic{summary, path: JSON pointer} for each "
    "problem",
)
async def says_what_is_wrong(stage: Stage) -> None:
    async with stage.connected() as plugin:
        _identified(plugin)
        bad: list[tuple[str, str]] = [("{", "")]
        schema, good = schema_of(plugin), stage.config(plugin)
        for name, below in schema.get("properties", {}).items():
            other = of_another_type(below)
            if other is not None:
                bad.append((json.dumps({**good, name: other}), f"/{pointed(name)}"))
                break
        if schema.get("additionalProperties") is False:
            bad.append((json.dumps({**good, "surprise": 1}), "/surprise"))
        for text, path in bad:
            validated = await plugin.call(
                PluginStub, "ValidateConfig", ValidateConfigRequest(config_json=text)
            )
            _complains(plugin, list(validated.diagnostics), path)
            _complains(plugin, await plugin.configure(text), path)
            await plugin.still_lives(plugin.sent)


@check(
    "I5",
    MUST,
    "configuring twice is as configuring once",
    rule="the same Configure again changes nothing and is no error",
    mend="make Configure set state, not add to it; do not take 'already configured' for an error",
)
async def configuring_twice(stage: Stage) -> None:
    async with stage.connected() as plugin:
        _identified(plugin)
        for _ in range(2):
            wrong = await plugin.configure(stage.config_json(plugin), stage.entry_json())
            if wrong:
                raise Broken(f"{wrong[0].path}: {wrong[0].summary}", "Configure, the same once more")
        for kind in stage.kinds:
            call = quick(kind)
            found = await plugin.answer(call.stub, call.rpc, call.request)
            if found.code in (StatusCode.UNAVAILABLE, StatusCode.INTERNAL, StatusCode.FAILED_PRECONDITION):
                raise Broken(str(found))


@check(
    "I6",
    MUST,
    "secrets are never shown",
    rule="what a `writeOnly` property holds appears in no log line, no diagnostic and no answer",
    mend="do not log the configuration; keep secrets in a type that does not print itself",
)
async def secrets_are_never_shown(stage: Stage) -> None:
    async with stage.connected(configure=False) as plugin:
        _identified(plugin)
        secret = f"hector-secret-{secrets.token_hex(8)}"
        told, places = _with_secrets(schema_of(plugin), stage.config(plugin), secret)
        if not places:
            raise NotApplicable("its schema has no property with writeOnly: true")
        shown = [str(one) for one in await plugin.configure(json.dumps(told), stage.entry_json())]
        sent = f"Configure with a secret in {', '.join(places)}"
        told[places[0].removeprefix("/")] = {"not": [secret]}
        shown += [str(one) for one in await plugin.configure(json.dumps(told), stage.entry_json())]
        for kind in stage.kinds:
            call = quick(kind)
            shown.append(str(await plugin.answer(call.stub, call.rpc, call.request)))
        shown.append(str(await plugin.get_info()))
        if any(secret in text for text in shown):
            raise Broken("the secret is in an answer", sent)
        if plugin.process is not None:
            await plugin.shut_down(1)
            await plugin.process.wait(5.0)
            await plugin.process.drained()
            if secret in plugin.process.log() or secret.encode() in plugin.process.printed:
                raise Broken("the secret is in its log", sent)


@check(
    "I7",
    SHOULD,
    "it can be told from others",
    rule="GetInfo says the same each time; every component has one of the known kinds",
    mend="answer GetInfo from constants; leave PLUGIN_KIND_UNSPECIFIED out",
)
async def says_the_same(stage: Stage) -> None:
    plugin = _identified(await stage.shared())
    again = await plugin.get_info()
    first = again.response
    if (await plugin.get_info()).response != first:
        raise Broken("two answers differ", "GetInfo {} twice")
    for component in first.components:
        if component.kind not in KINDS:
            raise Broken(f"kind {component.kind} of {component.service!r}", "GetInfo {}")


def _identified(plugin: Plugin) -> Plugin:
    if plugin.info is None:
        raise NotApplicable("it serves no hector.plugin.v1.Plugin: a bare plugin")
    return plugin


async def _is_served(plugin: Plugin, service: str, rpc: str) -> None:
    try:
        method = descriptor_pool.Default().FindMethodByName(f"{service}.{rpc}")
    except KeyError:
        raise Broken(f"{service} has no rpc {rpc!r}", "GetInfo {}") from None
    request = GetMessageClass(method.input_type)()
    plugin.note(rpc, request)
    path = f"/{service}/{rpc}"
    try:
        if method.server_streaming:
            calls: Any = plugin.channel.unary_stream(path, type(request).SerializeToString)
            stream = calls(request, timeout=plugin.timeout_s, metadata=plugin.metadata)
            try:
                await stream.read()
            finally:
                stream.cancel()
        else:
            unary: Any = plugin.channel.unary_unary(path, type(request).SerializeToString)
            await unary(request, timeout=plugin.timeout_s, metadata=plugin.metadata)
    except AioRpcError as error:
        if error.code() is StatusCode.UNIMPLEMENTED:
            raise Broken(f"GetInfo lists {rpc}, and it is {answer_of(error)}") from None


def _complains(plugin: Plugin, found: list[Diagnostic], path: str) -> None:
    errors = [one for one in found if one.severity != Diagnostic.SEVERITY_WARNING]
    if not errors:
        raise Broken("no diagnostics: it takes it")
    if not all(one.summary.strip() for one in errors):
        raise Broken(f"a diagnostic without a summary: {short(errors[0])}")
    if path and not any(one.path.startswith(path) for one in errors):
        paths = ", ".join(repr(one.path) for one in errors)
        raise Broken(f"no diagnostic has the path {path!r} (there are: {paths})")


def _with_secrets(schema: Any, config: dict[str, Any], secret: str) -> tuple[dict[str, Any], list[str]]:
    places, told = [], dict(config)
    for name, below in schema.get("properties", {}).items():
        if isinstance(below, dict) and below.get("writeOnly") and isinstance(sample_of(below), str):
            told[name] = secret
            places.append(f"/{pointed(name)}")
    return told, places

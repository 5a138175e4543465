"""`hector plugin call`: one call of a plugin, in JSON."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .documented import flag
from .exits import USUAL, Exit
from .plugin_subject import BEHIND, AboutPlugin, Subject, at_work, plan_of, subject_options
from .running import run

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

    from hector_plugin_host.plan import PluginPlan
    from hector_plugin_host.status import PluginStatus

CONTRACTS = ("agent", "document", "embedder", "guardrail", "llm", "plugin", "reasoning", "tool", "vector")
PLUGIN = "hector.plugin.v1.Plugin"
EXITS = {
    **USUAL,
    Exit.DONE: "the plugin answered",
    Exit.FAILED: "it did not start, or answered with an error",
}


@click.command(
    "call",
    cls=AboutPlugin,
    exits=EXITS,
    examples=(
        ("hector plugin call search ListTools", "A plugin of the config, and a call that needs no words."),
        (
            """hector plugin call ExecuteTool '{"tool": "up", "parameters_json": {"text": "a"}}' -- ./up""",
            "A program; what is JSON within JSON may be written as it is.",
        ),
        ("hector plugin call StreamText - -- ./my-llm <request.json", "A request from standard input."),
        ("hector plugin call --endpoint unix:/tmp/plugin.sock GetInfo", "One that runs already."),
        ("hector plugin call search", "All of its rpcs."),
        ("hector plugin call ListTools", "The plugin of this folder's plugin.yaml."),
    ),
)
@click.argument("words", metavar="[NAME] [RPC] [JSON]", nargs=-1)
@flag("--instance", metavar="ENTRY", default="", help='Which entry is meant, as "tools.shout".')
@flag(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.001),
    default=60.0,
    metavar="SECONDS",
    help="How long the call may take.",
)
@subject_options
@click.pass_context
def command(
    ctx: click.Context, /, words: tuple[str, ...], instance: str, timeout_s: float, **told: Any
) -> None:
    """Start a plugin, make one call, and print what it answers as JSON; of a stream, one line a message."""
    behind = ctx.meta[BEHIND]
    if not (behind or told["endpoint"] or told["config_file"]) and (not words or _is_rpc(words[0])):
        from .plugin_here import command_here

        behind = command_here()
    name, rest = ("", words) if behind or told["endpoint"] else (words[0] if words else "", words[1:])
    if len(rest) > 2:
        raise click.UsageError(
            f"{rest[2]!r} is one word too many: say [NAME] RPC JSON, and put JSON in quotes"
        )
    rpc, text = (*rest, "", "")[:2]
    if text == "-":
        text = sys.stdin.read()
    run(_called(plan_of(Subject(name, behind, **told)), rpc, text or "{}", instance, timeout_s))


async def _called(plan: "PluginPlan", rpc: str, text: str, instance: str, timeout_s: float) -> None:
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message_factory import GetMessageClass

    from hector_mesh import streaming

    async with at_work(plan) as (host, status):
        methods = _methods(status)
        if not rpc:
            click.echo("\n".join(sorted(f"{m.containing_service.full_name}/{m.name}" for m in methods)))
            return
        method = _meant(rpc, methods)
        request = _request(method, text)
        metadata = (("hector-instance", instance),) if instance else ()
        channel, path = host.channel(plan.name), f"/{method.containing_service.full_name}/{method.name}"
        take = GetMessageClass(method.output_type).FromString
        if not method.server_streaming:
            start: Any = channel.unary_unary(path, type(request).SerializeToString, take)
            answer = await start(request, timeout=timeout_s, metadata=metadata)
            click.echo(json.dumps(MessageToDict(answer, preserving_proto_field_name=True), indent=2))
            return
        begin: Any = channel.unary_stream(path, type(request).SerializeToString, take)
        call = begin(request, timeout=timeout_s, metadata=metadata)
        async with streaming(call):
            async for answer in call:
                click.echo(json.dumps(MessageToDict(answer, preserving_proto_field_name=True)))


def _methods(status: "PluginStatus") -> list["MethodDescriptor"]:
    """Return the rpcs of the services that a plugin says it has; of one that says nothing, all there are."""
    named = {component.service for component in status.info.components} if status.info else set()
    found = [
        method
        for service in _services()
        if service.full_name == PLUGIN or not named or service.full_name in named
        for method in service.methods
    ]
    return [method for method in found if not method.client_streaming]


def _services() -> Iterator["ServiceDescriptor"]:
    import importlib
    import pkgutil

    for contract in CONTRACTS:
        package = importlib.import_module(f"hector.{contract}.v1")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
                yield from file.services_by_name.values()


def _is_rpc(word: str) -> bool:
    return any(
        word.rpartition("/")[2] == method.name for service in _services() for method in service.methods
    )


def _meant(rpc: str, methods: list["MethodDescriptor"]) -> "MethodDescriptor":
    from hector_config.words import did_you_mean, nearest

    service, _, name = rpc.strip("/").replace("/", ".").rpartition(".")
    found = [
        method
        for method in methods
        if method.name == name
        and f".{method.containing_service.full_name}".endswith(f".{service}" if service else "")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{method.containing_service.name}.{method.name}" for method in found)
        raise click.UsageError(f"{rpc} may be {several}: say which")
    names = sorted({method.name for method in methods})
    near = did_you_mean(nearest(name, names))
    raise click.UsageError(f"the plugin has no rpc {rpc!r} ({near or 'it has ' + ', '.join(names)})")


def _request(method: "MethodDescriptor", text: str) -> Any:
    from google.protobuf.json_format import ParseDict, ParseError
    from google.protobuf.message_factory import GetMessageClass

    try:
        told = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"the request is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise click.UsageError('the request is no JSON object, as {"tool": "upper"}')
    try:
        return ParseDict(_flat(told), GetMessageClass(method.input_type)())
    except ParseError as error:
        fields = ", ".join(field.name for field in method.input_type.fields) or "none"
        why = str(error).partition("\n")[0]
        raise click.UsageError(f"{why} ({method.input_type.name} has: {fields})") from None


def _flat(value: Any) -> Any:
    """Return a request with what stands in fields of JSON text, and was written as JSON, as text."""
    if isinstance(value, list):
        return [_flat(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: json.dumps(item, ensure_ascii=False)
        if name.endswith(("_json", "Json")) and not isinstance(item, str)
        else _flat(item)
        for name, item in value.items()
    }

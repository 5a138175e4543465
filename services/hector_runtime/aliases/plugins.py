"""Older shapes of `plugins`: lists, other names of the kinds, settings apart from their plugin."""

from functools import partial

from hector_config import Alias, Map, Reform, Scalar, Seq, Spelling
from hector_config.problem import Path
from hector_config.spelling import put_at
from hector_config.tree import Node, child_of, scalars_of
from hector_runtime.plugins.config import KINDS, PluginConfig

_KINDS = {
    "llms": "llm_providers",
    "databases": "database_providers",
    "embedders": "embedder_providers",
    "tools": "tool_providers",
    "reasoning": "reasoning_strategies",
    "parsers": "document_parsers",
}


def _by_name(root: Map, path: Path, node: Node, *, kind: str) -> bool | Path:
    """Make a mapping by name of a list of plugins, under the kind's name of today."""
    plugins = child_of(root, "plugins")
    if not isinstance(plugins, Map):
        return False
    made = node if isinstance(node, Map) else Map(node.mark)
    for item in node.items if isinstance(node, Seq) else []:
        name = child_of(item, "name")
        # What has no name is told as the wrong name that it then has, and what is no mapping as what it is.
        key = name.text if isinstance(name, Scalar) else item.text if isinstance(item, Scalar) else ""
        if key in made.entries:
            return ("plugins", kind, key)
        made.put(key, item.mark, item)
        if isinstance(item, Map) and name is not None:
            made.keys[key], _ = item.take("name")
    mark, _ = plugins.take(str(path[-1]))
    return put_at(root, ("plugins", kind), mark, made) or True


def _security(root: Map, path: Path, node: Node) -> bool | Path:
    """Move `plugins.NAME.security` to the plugin of that name, whatever its kind."""
    plugins = child_of(root, "plugins")
    for kind in plugins.entries if isinstance(plugins, Map) else ():
        entry = child_of(child_of(plugins, kind), str(path[1]))
        lone = child_of(plugins, str(path[1]))
        if isinstance(plugins, Map) and isinstance(entry, Map) and isinstance(lone, Map):
            mark, _ = lone.take("security")
            if not lone.entries:
                plugins.take(str(path[1]))
            return put_at(root, ("plugins", kind, str(path[1]), "security"), mark, node) or True
    return False


_OTHERS = ("discovery", "require_conformance", "folder", "watch", *KINDS)
_SECTIONS = {
    "llms": "llm_providers",
    "databases": "database_providers",
    "vector_stores": "database_providers",
    "embedders": "embedder_providers",
    "tools": "tool_providers",
    "document_stores": "document_parsers",
}


def _kindless(root: Map, path: Path, node: Node) -> bool | Path:
    """Move a plugin that stands directly under `plugins` to its kind: what refers to it says which."""
    plugins, name = child_of(root, "plugins"), str(path[1])
    if name in _OTHERS or not isinstance(node, Map) or not isinstance(plugins, Map):
        return False
    if _holds_plugins(node):
        return False  # `tool_provider:`, say: what is meant is told as for any unknown key
    said = child_of(node, "type")
    kinds = {kind: section for section, kind in KINDS.items()}
    kind = _referred(root, name)
    if isinstance(said, Scalar) and said.text in kinds:
        kind = kinds[said.text]
        node.take("type")
    mark, _ = plugins.take(name)
    return put_at(root, ("plugins", kind, name), mark, node) or True


def _holds_plugins(node: Map) -> bool:
    """Say whether a mapping is no plugin but one of plugins by name, under a kind that there is not."""
    own = {*PluginConfig.model_fields, "name", "protocol"}
    inner = node.entries
    return bool(inner) and not own & set(inner) and all(isinstance(child, Map) for child in inner.values())


def _referred(root: Map, name: str) -> str:
    """Return what a plugin is referred to as. One that nobody refers to does not run: it may be a tool."""
    word = f"plugin:{name}"
    for path, scalar in scalars_of(root):
        if scalar.text == word or scalar.text.startswith(f"{word}:"):
            if path[0] == "agents":
                return "reasoning_strategies" if path[-1] in ("engine", "strategy") else "agents"
            if path[0] in _SECTIONS:
                return _SECTIONS[str(path[0])]
    return "tool_providers"


def _web_address(root: Map, path: Path, node: Node) -> bool | Path:
    """Move `config.endpoint` that is a web address, as it was printed: plugins spoke gRPC there, too."""
    entry = child_of(child_of(child_of(root, "plugins"), str(path[1])), str(path[2]))
    settings = child_of(entry, "config")
    if not isinstance(node, Scalar) or not isinstance(settings, Map) or not node.text.startswith(_WEB):
        return False
    mark, _ = settings.take("endpoint")
    node.text = node.value = node.text.removeprefix(_WEB).rstrip("/")
    return put_at(root, (*path[:3], "address"), mark, node) or True


_WEB = "http://"
_LISTED = {"type": ["array", "object"]}

PLUGINS: tuple[Spelling, ...] = (
    Alias("plugins.plugin_discovery", "plugins.discovery"),
    *(
        Reform(
            f"plugins.{old}", f"plugins.{new}, a mapping by name", partial(_by_name, kind=new), schema=_LISTED
        )
        for old, new in _KINDS.items()
    ),
    Reform("plugins.*.security", "plugins.<kind>.<name>.security", _security),
    Reform("plugins.*", "plugins.<kind>.<name>", _kindless, schema={"type": "object"}),
    *(
        row
        for kind in KINDS
        for row in (
            Alias(f"plugins.{kind}.*.protocol", f"plugins.{kind}.*.type"),
            Alias(f"plugins.{kind}.*.name", "", "a plugin is named by its key"),
            Reform(
                f"plugins.{kind}.*.config.endpoint",
                f"plugins.{kind}.<name>.address, without http://",
                _web_address,
            ),
            Alias(f"plugins.{kind}.*.config.endpoint", f"plugins.{kind}.*.address"),
        )
    ),
)

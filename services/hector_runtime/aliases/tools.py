"""Older spellings of `tools`."""

from hector_config import Alias, Map, Reform, Scalar, Spelling
from hector_config.problem import Path
from hector_config.spelling import put_at
from hector_config.tree import Node, child_of, node_at


def _config_beside_type(root: Map, path: Path, node: Node) -> bool | Path:
    """Put the keys of `config` beside `type`, where every tool but a plugin's has its keys."""
    entry = node_at(root, path[:-1])
    kind = child_of(entry, "type")
    if not isinstance(entry, Map) or not isinstance(node, Map):
        return False
    if isinstance(kind, Scalar) and kind.text.startswith("plugin:"):
        return False
    mark, _ = entry.take(str(path[-1]))
    return put_at(root, path[:-1], mark, node) or True


TOOLS: tuple[Spelling, ...] = (
    Alias("tools.*.type", "tools.*.type", values={"todo": "todo_write", "command": "execute_command"}),
    Reform("tools.*.config", "its keys beside type", _config_beside_type, like="tools.search"),
    Alias("tools.*.enable_approval", "tools.*.require_approval"),
    Alias("tools.*.requires_approval", "tools.*.require_approval"),
    Alias("tools.*.max_execution_time", "tools.*.timeout"),
    Alias("tools.*.server_url", "tools.*.url"),
    Alias("tools.*.sandboxing", "tools.*.enable_sandboxing"),
)

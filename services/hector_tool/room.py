"""Puts the room together: every enabled tool behind one router."""

from collections.abc import Mapping
from functools import partial

from hector.tool.v1 import ToolProviderServicer, add_ToolProviderServicer_to_server
from hector_config.plugin_word import plugin_word
from hector_mesh import Generations, Mesh, Prepared, Renewal, Room
from hector_tool.builtin import BuiltInProvider
from hector_tool.config import ToolConfig, ToolSection, default_tools
from hector_tool.router import ToolRouter
from hector_tool.threads import Threads


def build(config: ToolSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.tool.v1.ToolProvider`."""
    threads = Threads()
    made: dict[str, tuple[ToolConfig, ToolProviderServicer]] = {}

    def providers(config: ToolSection) -> dict[str, ToolProviderServicer]:
        """Return the tools of a config; an entry that is the same stays the same tool."""
        configured = default_tools(has_documents=False) if config.tools is None else config.tools
        new = {
            name: made[name]
            if name in made and made[name][0] == entry
            else (entry, _provider(name, entry, mesh, threads))
            for name, entry in configured.items()
            if entry.enabled
        }
        made.clear()
        made.update(new)
        return {f"tools.{name}": tool for name, (_, tool) in new.items()}

    tools: Generations[Mapping[str, ToolProviderServicer]] = Generations(providers(config))

    async def prepare(renewal: Renewal) -> Prepared:
        return Prepared(partial(tools.replace, providers(renewal.config), renewal))

    register = partial(add_ToolProviderServicer_to_server, ToolRouter(tools))
    return Room(register=register, running=threads.running, prepare=prepare)


def _provider(name: str, config: ToolConfig, mesh: Mesh, threads: Threads) -> ToolProviderServicer:
    # Imported here: a configuration without file tools pays for none, in time or memory.
    if (word := plugin_word(config.type)) is not None:
        from hector_tool.plugin import PluginTools

        return PluginTools(name, config, word, mesh)
    match config.tool:
        case "search":
            from hector_tool.search import search

            return BuiltInProvider(name, config, search(config, mesh))
        case "read_file":
            from hector_tool.read_file import read_file

            return BuiltInProvider(name, config, read_file(config, threads))
        case "grep_search":
            from hector_tool.grep_search import grep_search

            return BuiltInProvider(name, config, grep_search(name, config, threads))
        case "todo_write":
            from hector_tool.todo_write import todo_write

            return BuiltInProvider(name, config, todo_write())
    raise ValueError(f"tool {config.tool!r} is in the configuration's table, but not built")

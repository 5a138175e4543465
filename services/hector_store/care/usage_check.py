"""Whether what is counted of each plugin is what it keeps: somebody may have deleted some of it by hand."""

from sqlalchemy import Connection, func, select

from hector_store.plugin_values import recount
from hector_store.schema import plugin_usage, plugin_values

from .finding import Finding


def of_usage(connection: Connection) -> list[Finding]:
    """Return the plugins of which something else is counted."""
    problem = "{there} bytes are kept, and {said} are counted: it is refused too much, or too little"
    return [
        Finding("usage", f"plugin {plugin}", problem.format(there=there, said=said), True)
        for plugin, (there, said) in _differing(connection).items()
    ]


def mend_usage(connection: Connection) -> None:
    """Count anew."""
    for plugin in _differing(connection):
        recount(connection, plugin)


def _differing(connection: Connection) -> dict[str, tuple[int, int]]:
    values, usage = plugin_values.c, plugin_usage.c
    sums = select(values.plugin, func.sum(values.size_bytes)).group_by(values.plugin)
    there = {plugin: int(size) for plugin, size in connection.execute(sums)}
    said = {plugin: int(size) for plugin, size in connection.execute(select(usage.plugin, usage.size_bytes))}
    found = {name: (there.get(name, 0), said.get(name, 0)) for name in sorted({*there, *said})}
    return {plugin: sizes for plugin, sizes in found.items() if sizes[0] != sizes[1]}

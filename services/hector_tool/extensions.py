"""Which files a tool may look into, by how their names end."""

from hector_tool.config import ToolConfig


class Extensions:
    """The rule of one entry."""

    def __init__(self, config: ToolConfig) -> None:
        self._allowed = tuple(config.allowed_extensions)
        self._denied = tuple(config.denied_extensions)
        allowed = f"only {', '.join(self._allowed)}" if self._allowed else "all"
        denied = f", but not {', '.join(self._denied)}" if self._denied else ""
        self.rule = f"this tool reads {allowed} files{denied}"

    def allow(self, name: str) -> bool:
        """Tell whether a file of this name may be looked into."""
        name = name.lower()
        return (not self._allowed or name.endswith(self._allowed)) and not name.endswith(self._denied)

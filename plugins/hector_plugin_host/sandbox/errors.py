"""Why a plugin cannot be confined as its configuration wants it."""

from hector_plugin_host.start_failed import PluginStartFailed


class SandboxUnavailable(PluginStartFailed):
    """This machine cannot confine plugins, or not in the way that is asked for."""

    reason = "PLUGIN_SANDBOX_UNAVAILABLE"

    def __init__(self, plugin: str, text: str) -> None:
        super().__init__(plugin, text, final=True)
        self.args = (text,)  # a table of its own, which already names the plugin


class SandboxRefused(PluginStartFailed):
    """What the plugin's `security` asks for does not exist or cannot be enforced."""

    reason = "PLUGIN_SANDBOX_REFUSED"

    def __init__(self, plugin: str, why: str, fix: str = "") -> None:
        super().__init__(plugin, why, fix, final=True)


class SandboxNotHeld(PluginStartFailed):
    """The plugin was started, but not confined as it should be. It must not go on."""

    reason = "PLUGIN_SANDBOX_NOT_HELD"

    def __init__(self, plugin: str, why: str) -> None:
        super().__init__(plugin, f"its sandbox does not hold: {why}", "run `hector plugin doctor`")

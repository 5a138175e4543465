"""A plugin's configuration: what it may hold, what is wrong with it, and what holds now."""

import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable
from typing import Any, Generic, TypeVar, cast, overload

from hector.plugin.v1 import Diagnostic, Instance
from hector_mesh import current_call

from ._json_schema import problems
from ._registry import configs
from ._types import object_schema, schema_of, value_of

Settings = TypeVar("Settings")

_PLAIN = (str, bool, int, float)


class ConfigRefused(ValueError):
    """What a plugin's own code finds wrong with a configuration. The message must hold no secret."""

    def __init__(self, message: str, path: str = "", fix: str = "") -> None:
        """Say what is wrong.

        Args:
            message: What is wrong, in a sentence.
            path: Where: a JSON pointer, as "/api_key".
            fix: What to do about it.
        """
        super().__init__(message)
        self.path, self.fix = path, fix


class NotConfigured(RuntimeError):
    """The configuration was asked for before the host handed it over."""

    def __init__(self) -> None:
        super().__init__("the configuration is not here yet: read it while a call is served, not on import")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One place in the host's configuration that refers to the plugin."""

    name: str
    """As "tools.shout"."""
    config: Mapping[str, Any]
    """Its own settings."""


class Config(Generic[Settings]):
    """What a plugin may be told, as JSON Schema, and what it was told last."""

    def __init__(
        self,
        settings: type[Settings] | Mapping[str, Any],
        *,
        opened: Callable[[Settings], Awaitable[None] | None] | None = None,
    ) -> None:
        self._settings = settings
        self._opened = opened
        self._value: Settings | None = None
        self._entries: Mapping[str, Entry] = {}
        if isinstance(settings, Mapping):
            self.schema: Mapping[str, Any] = settings
        else:
            self.schema = schema_of(settings, getattr(settings, "__name__", "the configuration"))

    @property
    def value(self) -> Settings:
        """What was configured last; before that, what an empty configuration says.

        Raises:
            NotConfigured: Nothing was, and an empty one is none.
        """
        if self._value is None:
            self._value = self._read("", ())[0]  # what holds where nothing has to be said
        if self._value is None:
            raise NotConfigured
        return self._value

    def entry(self) -> Entry:
        """Return the entry of the host's configuration that the call being served is for."""
        name = current_call.get().instance
        return self._entries.get(name) or Entry(name, {})

    def check(self, config_json: str, instances: Iterable[Instance] = ()) -> list[Diagnostic]:
        """Return what is wrong with a configuration; nothing is changed."""
        return self._read(config_json, instances)[2]

    async def take(self, config_json: str, instances: Iterable[Instance] = ()) -> list[Diagnostic]:
        """Go by a configuration from now on, unless something is wrong with it."""
        value, entries, wrong = self._read(config_json, instances)
        if wrong:
            return wrong
        assert value is not None
        if self._opened is not None:
            try:
                opening = self._opened(value)
                if isawaitable(opening):
                    await opening
            except ConfigRefused as refused:
                return [_diagnostic(str(refused), refused.path, refused.fix)]
        self._value, self._entries = value, entries
        return []

    def _read(
        self, config_json: str, instances: Iterable[Instance]
    ) -> tuple[Settings | None, Mapping[str, Entry], list[Diagnostic]]:
        entries, wrong = {}, []
        for instance in instances:
            found = _object(instance.config_json)
            if found is None:
                wrong.append(_diagnostic(f"the settings of {instance.name} are no JSON object", ""))
            entries[instance.name] = Entry(instance.name, found or {})
        told = _object(config_json)
        if told is None:
            return None, {}, [_diagnostic("the configuration is no JSON object", ""), *wrong]
        wrong += [_diagnostic(str(one), one.path) for one in problems(told, self.schema)]
        if wrong:
            return None, {}, wrong
        try:
            return self._made(told), entries, []
        except ConfigRefused as refused:
            return None, {}, [_diagnostic(str(refused), refused.path, refused.fix)]
        except (ValueError, OverflowError) as error:
            return None, {}, [_diagnostic(str(error), "")]

    def _made(self, told: dict[str, Any]) -> Settings:
        if isinstance(self._settings, Mapping):
            return cast("Settings", told)
        return cast("Settings", value_of(self._settings, told))


@overload
def config(
    settings: type[Settings] | Mapping[str, Any],
    /,
    *,
    opened: Callable[[Settings], Awaitable[None] | None] | None = None,
) -> Config[Settings]: ...
@overload
def config(
    *,
    opened: Callable[[Any], Awaitable[None] | None] | None = None,
    **defaults: str | bool | int | float,
) -> Config[Any]: ...
def config(
    settings: type[Any] | Mapping[str, Any] | None = None,
    /,
    *,
    opened: Callable[[Any], Awaitable[None] | None] | None = None,
    **defaults: str | bool | int | float,
) -> Config[Any]:
    """Declare what the plugin may be told under `config:`; read it as `.value` while a call is served.

    Args:
        settings: A dataclass, whose fields without a default are required and whose `Secret` fields are
            secrets; or a JSON Schema, and then the value is a dictionary. A ValueError of
            `__post_init__` refuses a configuration.
        opened: Called with each new value before it holds; a ConfigRefused of it refuses the value.
        defaults: In the place of a dataclass, where its fields are only texts, numbers and switches: each by
            its name, with its default.

    Raises:
        TypeError: There is both, or a default of another kind.
    """
    if settings is not None and defaults:
        raise TypeError(
            f"config() takes a dataclass or the settings themselves: found both, and {_names(defaults)}"
        )
    made = Config(_dataclass_of(defaults) if settings is None else settings, opened=opened)
    configs.append(made)
    return made


def nothing_to_configure() -> Config[dict[str, Any]]:
    """Return the configuration of a plugin that has none: an empty object."""
    return Config(object_schema({}, []))


def _dataclass_of(defaults: Mapping[str, str | bool | int | float]) -> type[Any]:
    odd = {name: default for name, default in defaults.items() if type(default) not in _PLAIN}
    if odd:
        raise TypeError(
            f"config() takes settings whose defaults are texts, numbers or switches: found {_names(odd)}; "
            "give it a dataclass instead, for whatever is required, secret or of another type"
        )
    return dataclasses.make_dataclass(
        "Settings", [(name, type(default), default) for name, default in defaults.items()], frozen=True
    )


def _names(defaults: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={default!r}" for name, default in defaults.items())


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _diagnostic(summary: str, path: str, detail: str = "") -> Diagnostic:
    return Diagnostic(severity=Diagnostic.SEVERITY_ERROR, summary=summary, detail=detail, path=path)

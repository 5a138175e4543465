"""Prints the config that is in effect, without its secrets."""

from collections.abc import Iterator

import yaml
from pydantic import BaseModel

from hector_config.loading import Loaded
from hector_config.private import SHORTEST, is_private, without_passwords
from hector_config.scalars import resolve
from hector_config.secret import MASK, Secret
from hector_config.settings import Settings


def dump(loaded: Loaded[BaseModel], *, defaults: bool = True) -> str:
    """Return the effective config as YAML: variables filled in, `***` for secrets.

    Masked besides: a secret's value wherever else it appears, passwords in addresses, and strings under names
    like `api_token` in maps that have no types of their own.

    Args:
        loaded: What `load` returned.
        defaults: Whether values that the file does not set are shown.
    """
    shown = masked_data(loaded.config, defaults=defaults)
    return yaml.dump(shown, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def masked_data(config: BaseModel, *, defaults: bool = True) -> object:
    """Return a config's values, as JSON has them, with the same masks."""
    shown = config.model_dump(mode="json", by_alias=True, exclude_unset=not defaults)
    secrets = {text for text in (*_secrets(config), *_private(shown, "")) if len(text) >= SHORTEST}
    return _masked(shown, "", sorted(secrets, key=len, reverse=True))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _secrets(inner)
    elif isinstance(value, dict):
        yield from value.secrets if isinstance(value, Settings) else ()
        for inner in value.values():
            yield from _secrets(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _secrets(inner)


def _private(value: object, key: str) -> Iterator[str]:
    """Yield what stands under names like `api_token` where the model knows no types."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _private(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _private(inner, key)
    elif isinstance(value, str) and is_private(key) and value != MASK:
        yield value


def _masked(value: object, key: str, secrets: list[str]) -> object:
    if isinstance(value, dict):
        return {name: _masked(inner, str(name), secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, key, secrets) for inner in value]
    if not isinstance(value, str):
        return value
    if value and is_private(key):
        return MASK
    for secret in secrets:
        value = value.replace(secret, MASK)
    return without_passwords(value)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # libyaml, where it is
    """Writes what the loader reads back: YAML 1.2 words, long texts as blocks, no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if not isinstance(resolve(text), str) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)

"""What a server with this config would stumble over when it starts, and the config alone does not show."""

from collections.abc import Iterator

from hector_config import ConfigInvalid, Loaded, Problem
from hector_config.problem import Path, problem_at

from .config import Config


def check_start(loaded: Loaded[Config]) -> None:
    """See that keys can be read, for who checks a config and starts nothing.

    Raises:
        ConfigInvalid: `hector serve` would refuse to start.
    """
    problems = list(_keys(loaded))
    if problems:
        raise ConfigInvalid(problems, loaded.warnings)


def _keys(loaded: Loaded[Config]) -> Iterator[Problem]:
    entries = loaded.config.server.a2a.signing
    if not entries:
        return
    from hector_a2a.keys import KeyUnusable
    from hector_a2a.signing_config import signing_key_of

    for index, entry in enumerate(entries):
        path: Path = ("server", "a2a", "signing", index, "key_file")
        try:
            signing_key_of(entry, str(entry.key_file))
        except KeyUnusable as error:
            yield problem_at(loaded.marks[path], path, str(error))

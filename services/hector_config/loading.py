"""Turns a config file into a model, or into a list of everything that is wrong with it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from hector_config.dotenv import read_environment
from hector_config.events import Unreadable
from hector_config.interpolate import interpolate
from hector_config.parse import parse
from hector_config.paths import project_dir_for
from hector_config.private import Literal, hidden, literals_of
from hector_config.problem import Problem, in_order
from hector_config.secret import MASK
from hector_config.shape import Shape
from hector_config.spelling import Spelling, modernise
from hector_config.text import checked, read_text
from hector_config.tree import Marks
from hector_config.validate import Check, Validation

if TYPE_CHECKING:
    from hector_config.invalid import ConfigInvalid

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A config that can be used, and where it came from."""

    config: M
    warnings: tuple[Problem, ...]
    """Old spellings and the like, by position."""
    text: str = field(repr=False)
    """The file before variables were filled in. Literal secrets stand in it; `masked` has none."""
    literals: tuple[Literal, ...] = field(repr=False)
    """The secrets that are written out in it."""
    file: str
    """As it was named; what a text is called in messages, where there is no file."""
    is_file: bool
    project_dir: Path
    marks: Marks = field(repr=False)
    """Where each value was written."""

    @property
    def masked(self) -> str:
        """The text with `***` for every literal secret: fit to be shown, not to be loaded."""
        return hidden(self.text, self.literals, lambda _: MASK)


def load(
    source: Path | str,
    model: type[M],
    *,
    environment: Mapping[str, str] | None = None,
    project_dir: Path | None = None,
    name: str = "config",
    aliases: Sequence[Spelling] = (),
    known: Mapping[str, Collection[str]] | None = None,
    later: Mapping[str, Collection[str]] | None = None,
    checks: Sequence[Check] = (),
) -> Loaded[M]:
    """Read a config file (a path) or its text (a string) into `model`.

    Args:
        source: Where the file is, or what stands in it.
        model: The root section.
        environment: What `${NAME}` is filled from. None means the process's environment, then `.env` beside
            the file, in the project folder, and in `~/.hector`.
        project_dir: What relative paths belong to. None means the file's folder (or the one that holds its
            `.hector/`), and the working directory for a text.
        name: What messages call a text.
        aliases: Older spellings to accept, each with a warning.
        known: Names that count as declared, by section, though the file does not declare them.
        later: Names that a later version knows, by section: a reference to one is refused as such.
        checks: Run over the values of the whole file, also when it has other errors.

    Raises:
        ConfigInvalid: All problems at once, by position.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    beside = source.absolute().parent if isinstance(source, Path) else Path.cwd()
    placed = project_dir_for(source) if isinstance(source, Path) else beside
    folder = project_dir.absolute() if project_dir else placed
    file = str(source) if isinstance(source, Path) else name
    try:
        text = read_text(source) if isinstance(source, Path) else checked(source, name)
        root = parse(text, file, problems)
    except Unreadable as error:
        raise _invalid([*problems, error.problem], warnings) from None
    if environment is None:
        environment = read_environment(beside, folder, warnings=warnings)
    # The file's own: a place for anchors, read by nobody.
    free = [root.take(key)[1] for key in [key for key in root.entries if key.startswith("x-")]]
    interpolate(root, text, environment, problems)
    modernise(root, aliases, problems, warnings)
    config = Validation(root, folder, known or {}, later or {}).run(model, checks, environment, problems)
    if config is None or problems:
        raise _invalid(problems, warnings)
    literals = literals_of(text, root, free, Shape(model))
    of_file = isinstance(source, Path)
    return Loaded(config, in_order(warnings), text, literals, file, of_file, folder, Marks(root))


def _invalid(problems: Iterable[Problem], warnings: Iterable[Problem]) -> "ConfigInvalid":
    from hector_config.invalid import ConfigInvalid  # brings gRPC along: only where something is wrong

    return ConfigInvalid(problems, warnings)

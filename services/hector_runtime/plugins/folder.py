"""What lies in a plugin's folder, but what its .gitignore says is made, and what is hidden."""

from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE = ".gitignore"


def walk(
    folder: Path, left_out: Set[str] = frozenset(), *, all_of_it: bool = False
) -> Iterator[tuple[str, Path]]:
    """Yield what is no folder, in order, with its name from the folder on; links are not followed.

    Args:
        folder: Where to begin. Its .gitignore counts, and those of folders in it; one above does not.
        left_out: Names of folders and files that are passed over wherever they stand.
        all_of_it: Whether what .gitignore leaves out comes along.
    """
    yield from _walk(folder, "", None if all_of_it else (), left_out)


_Specs = tuple[tuple[str, "GitIgnoreSpec"], ...]


def _walk(folder: Path, inside: str, specs: _Specs | None, left_out: Set[str]) -> Iterator[tuple[str, Path]]:
    specs = None if specs is None else (*_spec(folder, inside), *specs)
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in left_out:
            continue
        name = inside + path.name
        is_folder = path.is_dir() and not path.is_symlink()
        if _is_ignored(f"{name}/" if is_folder else name, specs):
            continue
        if is_folder:
            yield from _walk(path, f"{name}/", specs, left_out)
        else:
            yield name, path


def _spec(folder: Path, inside: str) -> _Specs:
    file = folder / IGNORE
    if not file.is_file():
        return ()
    from pathspec import GitIgnoreSpec

    return ((inside, GitIgnoreSpec.from_lines(file.read_text(errors="replace").splitlines())),)


def _is_ignored(name: str, specs: _Specs | None) -> bool:
    """Ask the nearest .gitignore that says something about it."""
    said = (spec.check_file(name.removeprefix(inside)).include for inside, spec in specs or ())
    return next((include for include in said if include is not None), False)

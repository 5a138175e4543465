"""Which files of a plugin's folder go into its package, and which never do."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hector_plugin.conformance.badge import ENDING
from hector_runtime.plugins.folder import walk
from hector_runtime.plugins.manifest import Manifest
from hector_tool.secret_names import is_secret

from .archive import SIGNATURE, SUMS
from .refused import PackageRefused

NOT_OF_IT = frozenset({"__pycache__", SUMS, SIGNATURE})
"""What is made again, or was made by an earlier packing."""
ONLY_IF_NAMED = frozenset({"hector.yaml", "hector.yml"})
"""The author's own server."""
_TEXT_BYTES = 64 * 1024
"""Keys are short; a program that can read keys holds the words of one, too."""


def contents(folder: Path, said: Manifest, beside: Sequence[Path] = ()) -> dict[str, Path]:
    """Return names inside the package, and the files that they stand for.

    It is the manifest, what the manifest starts and its badge, and what `files` names; without `files`,
    whatever lies there that no .gitignore leaves out.

    Args:
        folder: The plugin's.
        said: Its manifest.
        beside: Files that are none of it, wherever they are: the package itself, and the key that signs it.

    Raises:
        PackageRefused: One of them is no plain file, or holds a secret; or `files` names nothing.
    """
    own = f"{said.name}-*.tar.gz"
    if said.says.files is None:
        found = {
            name: path
            for name, path in walk(folder, NOT_OF_IT)
            if name not in ONLY_IF_NAMED and not fnmatchcase(name, own)
        }
    else:
        found = dict(_named(folder, said, said.says.files))
    own_files = {path.resolve() for path in beside}
    found = {name: path for name, path in found.items() if path.resolve() not in own_files}
    found[said.file.name] = folder / said.file.name
    for name in started(said):
        for inside in (name, name + ENDING):
            if (folder / inside).is_file():
                found[inside] = folder / inside
    for name, path in found.items():
        _check(name, path)
    return dict(sorted(found.items()))


def started(said: Manifest) -> Iterator[str]:
    """Yield the words of all commands that can be files of the folder, as names inside the package."""
    for command in [*(place.command for place in said.says.platforms.values()), said.says.command]:
        for word in command:
            path = PurePosixPath(word)
            if not word.startswith("-") and not path.is_absolute() and ".." not in path.parts and path.name:
                yield str(path)
    if said.program is not None:
        yield said.program.name


def _named(folder: Path, said: Manifest, patterns: Sequence[str]) -> Iterator[tuple[str, Path]]:
    from pathspec import GitIgnoreSpec

    there = dict(walk(folder, NOT_OF_IT, all_of_it=True))
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        if pattern == wanted and not any(GitIgnoreSpec.from_lines([wanted]).match_files(there)):
            raise PackageRefused(
                f"{said.file}: `files` has {pattern!r}, and nothing there is named so; build it, or mend it"
            )
    yield from ((name, there[name]) for name in GitIgnoreSpec.from_lines(patterns).match_files(there))


def _check(name: str, path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise PackageRefused(f"{path} is no plain file: packages have no links; put a copy in its place")
    parts = PurePosixPath(name).parts
    is_certificate = path.suffix in (".pem", ".crt")  # or a key: that is seen from what is in it
    if (is_secret(parts) and not is_certificate) or _holds_a_key(path):
        raise PackageRefused(
            f"{path} looks like a secret, and a package is handed on: take it out of the folder, or leave "
            f"it out by .gitignore or `files` in plugin.yaml"
        )


def _holds_a_key(path: Path) -> bool:
    if path.stat().st_size > _TEXT_BYTES:
        return False
    return any(
        line.startswith(b"-----BEGIN ") and line.rstrip().endswith(b"PRIVATE KEY-----")
        for line in path.read_bytes().splitlines()
    )


def size_of(files: Mapping[str, Path]) -> int:
    """Return how much they hold together."""
    return sum(path.stat().st_size for path in files.values())

"""Makes a package of a plugin's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hector_config import ConfigInvalid
from hector_runtime.plugins import manifest as manifests
from hector_runtime.plugins.manifest import Manifest
from hector_runtime.plugins.program import RUNNERS
from hector_runtime.plugins.trust import sha256_of

from .archive import MOST_BYTES, MOST_FILES, SIGNATURE, SUMS, sums_of, written
from .contents import contents, size_of
from .refused import PackageRefused
from .signing import signature_of, signer_of

SUFFIX = ".tar.gz"


@dataclass(frozen=True, slots=True)
class Packed:
    """A package that was made, or would be."""

    file: Path
    name: str
    version: str
    files: Mapping[str, int]
    """Names inside the package, and how many bytes each has."""
    size_bytes: int
    """Of the package; 0 if none was made."""
    signer: str
    """The fingerprint of the key that it is signed with; empty if it is not."""

    @property
    def holds_bytes(self) -> int:
        """How much is in it."""
        return sum(self.files.values())


def pack(
    folder: Path, output: Path | None = None, key_file: Path | None = None, *, dry: bool = False
) -> Packed:
    """Pack a plugin's folder.

    Args:
        folder: It has a manifest, and all programs that the manifest names.
        output: The package; NAME-VERSION.tar.gz in the working directory if left out.
        key_file: A private key of Ed25519, as PEM, to sign it with.
        dry: Whether to look at everything and write nothing.

    Raises:
        PackageRefused: What is there would make no good package.
    """
    if not folder.is_dir():
        raise PackageRefused(f"{folder} is no folder; name the one with plugin.yaml in it")
    said = manifest_in(folder)
    target = output or Path(f"{said.name}-{said.says.version}{SUFFIX}")
    files = contents(folder, said, beside=[path for path in (target, key_file) if path is not None])
    if len(files) > MOST_FILES:
        raise PackageRefused(
            f"{folder} has {len(files)} files, and a package at most {MOST_FILES}; {_CHOOSE}"
        )
    if (size := size_of(files)) > MOST_BYTES:
        raise PackageRefused(
            f"{folder} has {size >> 20} MiB, and a package at most {MOST_BYTES >> 20}; {_CHOOSE}"
        )
    check_programs(said, files)
    sums = sums_of(files, {})
    texts = {SUMS: sums}
    if key_file is not None:
        texts[SIGNATURE] = signature_of(sums, key_file)
    signer = signer_of(texts[SIGNATURE], sums) if key_file is not None else ""
    sizes = {name: path.stat().st_size for name, path in files.items()}
    if not dry:
        written(target, files, texts)
    size_bytes = 0 if dry else target.stat().st_size
    return Packed(target, said.name, said.says.version, sizes, size_bytes, signer)


def manifest_in(folder: Path) -> Manifest:
    """Return the manifest of a folder.

    Raises:
        PackageRefused: There is none that can be used, or more than one.
    """
    file = manifests.beside(folder)
    if file is None:
        raise PackageRefused(f"{folder} has no plugin.yaml; write one (docs/plugins/packages.md)")
    try:
        said = manifests.read(file)
    except ConfigInvalid as error:
        raise PackageRefused("; ".join(map(str, error.problems))) from None
    if not said.name.replace("-", "").replace("_", "").replace(".", "").isalnum() or said.name.startswith(
        "."
    ):
        raise PackageRefused(f"{file}: {said.name!r} cannot be a folder's name; use letters, digits, - and _")
    return said


def check_programs(said: Manifest, files: dict[str, Path]) -> None:
    """See that everything that a manifest would start is in the package, and is what it says.

    Raises:
        PackageRefused: It is not.
    """
    starts = [(name, place.command, place.sha256) for name, place in said.says.platforms.items()]
    if said.says.command:
        starts.append(("command", said.says.command, said.says.sha256))
    for where, command, sha256 in starts:
        if not command:
            continue
        first = PurePosixPath(command[0])
        if first.is_absolute() or ".." in first.parts:
            raise PackageRefused(
                f"{said.file}: {where} starts {command[0]!r}, which is not in the package; name a file of it"
            )
        for script in [PurePosixPath(word) for word in command[1:] if PurePosixPath(word).suffix in RUNNERS]:
            if not script.is_absolute() and str(script) not in files:
                raise PackageRefused(
                    f"{said.file}: {where} starts {str(script)!r}, which is not there; build it first"
                )
        inside = str(first)
        if inside not in files:
            if len(first.parts) > 1 or command[0].startswith("./"):
                there = ", ".join(list(files)[:10])
                raise PackageRefused(
                    f"{said.file}: {where} starts {command[0]!r}, which is not there ({there})"
                )
            continue  # a program of the system's, as python3
        if sha256 and (found := sha256_of(files[inside])) != sha256.lower():
            raise PackageRefused(f"{said.file}: {where} says sha256 {sha256}, and {inside} is {found}")


_CHOOSE = "say with `files` in plugin.yaml what of it is to be packed"

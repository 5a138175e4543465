"""Makes a package of a plugin's folder."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hector_config import ConfigInvalid
from hector_runtime.plugins import manifest as manifests
from hector_runtime.plugins.manifest import Manifest
from hector_runtime.plugins.trust import sha256_of

from .archive import MOST_FILES, SIGNATURE, SUMS, files_of, sums_of, written
from .refused import PackageRefused
from .signing import signature_of, signer_of

SUFFIX = ".tar.gz"


@dataclass(frozen=True, slots=True)
class Packed:
    """A package that was made."""

    file: Path
    name: str
    version: str
    files: int
    signer: str
    """The fingerprint of the key that it is signed with; empty if it is not."""


def pack(folder: Path, output: Path | None = None, key_file: Path | None = None) -> Packed:
    """Pack a plugin's folder.

    Args:
        folder: It has a manifest, and all programs that the manifest names.
        output: The package; NAME-VERSION.tar.gz in the working directory if left out.
        key_file: A private key of Ed25519, as PEM, to sign it with.

    Raises:
        PackageRefused: What is there would make no good package.
    """
    if not folder.is_dir():
        raise PackageRefused(f"{folder} is no folder; name the one with plugin.yaml in it")
    said = manifest_in(folder)
    target = output or Path(f"{said.name}-{said.says.version}{SUFFIX}")
    files = {name: path for name, path in files_of(folder) if path.resolve() != target.resolve()}
    if len(files) > MOST_FILES:
        raise PackageRefused(f"{folder} has {len(files)} files, and a package at most {MOST_FILES}")
    for reserved in (SUMS, SIGNATURE):
        files.pop(reserved, None)  # of a package that was installed here
    _check_programs(said, files)
    sums = sums_of(files, {})
    texts = {SUMS: sums}
    if key_file is not None:
        texts[SIGNATURE] = signature_of(sums, key_file)
    written(target, files, texts)
    signer = signer_of(texts[SIGNATURE], sums) if key_file is not None else ""
    return Packed(target, said.name, said.says.version, len(files), signer)


def manifest_in(folder: Path) -> Manifest:
    """Return the manifest of a folder.

    Raises:
        PackageRefused: There is none that can be used, or more than one.
    """
    file = manifests.beside(folder)
    if file is None:
        raise PackageRefused(f"{folder} has no plugin.yaml; write one (docs/plugins/operating.md)")
    try:
        said = manifests.read(file)
    except ConfigInvalid as error:
        raise PackageRefused("; ".join(map(str, error.problems))) from None
    if not said.name.replace("-", "").replace("_", "").replace(".", "").isalnum() or said.name.startswith(
        "."
    ):
        raise PackageRefused(f"{file}: {said.name!r} cannot be a folder's name; use letters, digits, - and _")
    return said


def _check_programs(said: Manifest, files: dict[str, Path]) -> None:
    """See that everything that a manifest would start is in the package, and is what it says."""
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

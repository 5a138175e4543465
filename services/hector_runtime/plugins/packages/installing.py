"""Installs a package: all of it, after everything was checked, or nothing."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hector_config.version import VERSION
from hector_runtime.plugins import manifest as manifests
from hector_runtime.plugins.config import KINDS
from hector_runtime.plugins.manifest import Manifest

from .archive import SIGNATURE, SUMS, read_sums, unpacked
from .packing import check_programs, manifest_in
from .refused import PackageRefused
from .signing import fingerprint_of, signer_of


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin that was installed."""

    folder: Path
    name: str
    version: str
    sections: tuple[str, ...]
    """Where in `plugins:` it can be named."""
    signer: str
    """The fingerprint of the key that it is signed with; empty if it is not."""
    replaced: str
    """The version that was there before, if any."""


def install(file: Path, into: Path, key_file: Path | None = None, *, replace: bool = False) -> Installed:
    """Install a package.

    Args:
        file: The package.
        into: The folder that gets a folder of the plugin's name.
        key_file: The public key that it must be signed with, as PEM.
        replace: Whether it may take the place of one that is there.

    Raises:
        PackageRefused: Something does not hold; what was there before still is.
    """
    if not file.is_file():
        raise PackageRefused(f"there is no file {file}")
    with _staging(into) as staging:
        try:
            sums = unpacked(file, staging)
            signer = _check_contents(file, staging, sums, key_file)
            said = manifest_in(staging)
            check_programs(said, {name: staging / name for name in sums})
            _check_here(file, said)
        except PackageRefused as error:  # where it was unpacked says nothing to anybody
            raise PackageRefused(str(error).replace(str(staging), str(file))) from None
        place = into / said.name
        before = _version_in(place)
        if place.exists() and not replace:
            there = f"version {before}" if before else "and is no plugin"
            raise PackageRefused(f"{place} is there already ({there}); --replace puts this one there")
        _move(staging, place)
    sections = tuple(key for kind in said.says.kinds for key, value in KINDS.items() if value == kind)
    return Installed(place, said.name, said.says.version, sections, signer, before)


def _check_contents(file: Path, staging: Path, sums: dict[str, str], key_file: Path | None) -> str:
    """See that a package is what its maker packed, and return who that was."""
    if SUMS not in sums:
        raise PackageRefused(f"{file} has no {SUMS}, so it is no package; make one with `hector plugin pack`")
    listed = (staging / SUMS).read_bytes()
    said = read_sums(listed.decode(errors="replace"))
    found = {name: digest for name, digest in sums.items() if name not in (SUMS, SIGNATURE)}
    for name in sorted({*said, *found}):
        if name not in found:
            raise PackageRefused(f"{file} lacks {name}, which its {SUMS} names")
        if name not in said:
            raise PackageRefused(f"{file} has {name}, which its {SUMS} does not name")
        if said[name] != found[name]:
            raise PackageRefused(f"{name} in {file} is {found[name]}, and its {SUMS} says {said[name]}")
    signer = signer_of((staging / SIGNATURE).read_bytes(), listed) if SIGNATURE in sums else ""
    if key_file is not None and signer != (wanted := fingerprint_of(key_file)):
        by = f"signed with {signer}" if signer else "not signed"
        raise PackageRefused(f"{file} is {by}, and has to be signed with {wanted} ({key_file})")
    return signer


def _check_here(file: Path, said: Manifest) -> None:
    """See that a plugin can run on this machine, with this Hector."""
    if said.misses_platform:
        there = ", ".join(sorted(said.says.platforms))
        raise PackageRefused(
            f"{file} has no program for {manifests.this_platform()}; it has some for {there}"
        )
    wanted = said.says.hector_version
    try:
        fits = not wanted or manifests.suits(wanted)
    except ValueError:
        raise PackageRefused(f"{file}: hector_version {wanted!r} is no range of versions") from None
    if not fits:
        raise PackageRefused(f"{file} needs Hector {wanted}, and this is {VERSION}")


def _version_in(place: Path) -> str:
    if not place.is_dir():
        return ""
    try:
        return manifest_in(place).says.version
    except PackageRefused:
        return "?"


@contextmanager
def _staging(into: Path) -> Iterator[Path]:
    """Give a folder beside the place: what is complete is moved there in one step."""
    made = [folder for folder in (into, *into.parents) if not folder.exists()]
    into.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".installing-", dir=into))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # something was installed, so what was made for it is not empty
            for each in made:
                each.rmdir()


def _move(staging: Path, place: Path) -> None:
    if not place.exists():
        staging.rename(place)
        return
    old = staging.with_name(f"{staging.name}-old")
    place.rename(old)
    try:
        staging.rename(place)
    except OSError:
        old.rename(place)
        raise
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()

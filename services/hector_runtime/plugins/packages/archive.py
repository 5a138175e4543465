"""A package's file: a compressed tar archive of plain files, the same bytes for the same files."""

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from .refused import PackageRefused

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
"""What each file is, as sha256sum writes and checks it; and who says so."""
MOST_FILES, MOST_BYTES = 20_000, 2 << 30
DEEPEST, LONGEST = 64, 255
"""Folders within each other, and bytes of a name."""
_AT_ONCE = 1 << 20


def written(path: Path, files: Mapping[str, Path], texts: Mapping[str, bytes]) -> None:
    """Write an archive, all of it or nothing.

    Args:
        path: Where.
        files: Names inside, and the files that they stand for.
        texts: Names inside, and contents.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        _write(draft, files, texts)
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink()


def _write(path: Path, files: Mapping[str, Path], texts: Mapping[str, bytes]) -> None:
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted({*files, *texts}):
            entry = tarfile.TarInfo(name)
            entry.mode = 0o644
            if name in texts:
                entry.size = len(texts[name])
                archive.addfile(entry, io.BytesIO(texts[name]))
                continue
            with files[name].open("rb") as content:
                status = os.fstat(content.fileno())
                entry.size, entry.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
                archive.addfile(entry, content)


def sums_of(files: Mapping[str, Path], texts: Mapping[str, bytes]) -> bytes:
    """Return the sums of files that are to be packed."""
    sums = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    for name, path in files.items():
        with path.open("rb") as content:
            sums[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def unpacked(path: Path, folder: Path) -> dict[str, str]:
    """Unpack an archive into an empty folder, and return what each file is.

    Raises:
        PackageRefused: It is no archive, or has something in it that no package has.
    """
    sums: dict[str, str] = {}
    seen: set[str] = set()
    folders: set[str] = set()
    left = MOST_BYTES
    try:
        with tarfile.open(path, "r:gz") as archive:
            for entry in archive:
                name = _safe(entry)
                if entry.isdir():
                    continue
                if name.casefold() in seen:
                    raise PackageRefused(f"{path} has {name!r} twice")
                around = {str(parent).casefold() for parent in PurePosixPath(name).parents}
                if name.casefold() in folders | {"", "."} or around & seen:
                    raise PackageRefused(f"{path} has {name!r} as a file, and as a folder around one")
                seen.add(name.casefold())
                folders |= around
                left -= entry.size
                if len(seen) > MOST_FILES or left < 0:
                    raise PackageRefused(
                        f"{path} is too large: at most {MOST_FILES} files and {MOST_BYTES >> 30} GiB"
                    )
                content = archive.extractfile(entry)
                assert content is not None
                sums[name] = _copied(content, folder / name, executable=bool(entry.mode & 0o100))
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PackageRefused(f"{path} is no package: {error}") from None
    return sums


def read_sums(text: str) -> dict[str, str]:
    """Return what a list of sums says of each file.

    Raises:
        PackageRefused: It is no such list.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or name in found:
            raise PackageRefused(f"line {number} of {SUMS} is not as sha256sum writes it")
        found[name] = digest.lower()
    return found


def _safe(entry: tarfile.TarInfo) -> str:
    """Return the name of an entry that can do no harm."""
    name = entry.name.removeprefix("./")
    parts = PurePosixPath(name).parts
    if len(parts) > DEEPEST or any(len(part.encode()) > LONGEST for part in parts):
        shown = f"{name[:40]}…"
        allowed = f"{DEEPEST} folders deep, and {LONGEST} bytes for each name"
        raise PackageRefused(f"the path {shown!r} in the package is too long (at most {allowed})")
    if name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
        raise PackageRefused(f"the package would write {entry.name!r}, which is outside of its own folder")
    if not (entry.isreg() or entry.isdir()):
        kind = "link" if entry.issym() or entry.islnk() else "device"
        raise PackageRefused(f"{entry.name!r} in the package is a {kind}, and packages have plain files only")
    if any(part.startswith(".") for part in parts):
        raise PackageRefused(f"{entry.name!r} in the package is a hidden file, and packages have none")
    return name


def _copied(content: IO[bytes], path: Path, *, executable: bool) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as copy:
        while data := content.read(_AT_ONCE):
            digest.update(data)
            copy.write(data)
    path.chmod(0o755 if executable else 0o644)
    return digest.hexdigest()

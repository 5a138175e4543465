"""Packing gives the same bytes each time; installing refuses what does not hold, and changes nothing then."""

import base64
import gzip
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hector_runtime.cli.plugin_install import command as install_command
from hector_runtime.cli.plugin_pack import command as pack_command
from hector_runtime.plugins.manifest import this_platform
from hector_runtime.plugins.packages.archive import SIGNATURE, SUMS, sums_of
from hector_runtime.plugins.packages.installing import install
from hector_runtime.plugins.packages.packing import pack
from hector_runtime.plugins.packages.refused import PackageRefused

MANIFEST = """
plugin:
  name: upper
  version: 1.2.0
  type: tool_provider
  platforms:
    PLATFORM: {command: [./bin/upper]}
    plan9/mips: {command: [./bin/upper-mips]}
"""
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "upper"
    (made / "bin").mkdir(parents=True)
    (made / "plugin.yaml").write_text(MANIFEST.replace("PLATFORM", this_platform()))
    for name in ("upper", "upper-mips"):
        (made / "bin" / name).write_text("#!/bin/sh\n")
        (made / "bin" / name).chmod(0o755)
    (made / "words.txt").write_text("words")
    (made / ".env").write_text("KEY=secret")
    (made / "__pycache__").mkdir()
    (made / "__pycache__" / "x.pyc").write_text("")
    return made


@pytest.fixture
def package(folder: Path, tmp_path: Path) -> Path:
    return pack(folder, tmp_path / "upper-1.2.0.tar.gz").file


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return keys_in(tmp_path, "maker")


def keys_in(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def changed(package: Path, change: Change, *, sums: bool = False) -> Path:
    """Return a copy of a package with other contents; with sums that fit them, if `sums`."""
    with tarfile.open(package) as archive:
        texts = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]
    change(texts)
    if sums:
        own = {name: text for name, text in texts.items() if name not in (SUMS, SIGNATURE)}
        texts[SUMS] = sums_of({}, own)
    copy = package.with_name("changed.tar.gz")
    with tarfile.open(copy, "w:gz") as archive:
        for name, text in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text))
    return copy


def test_a_packed_plugin_is_installed_as_it_was(package: Path, tmp_path: Path) -> None:
    installed = install(package, tmp_path / "plugins")
    place = tmp_path / "plugins" / "upper"
    assert (installed.folder, installed.version, installed.sections) == (place, "1.2.0", ("tool_providers",))
    found = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert found == {"plugin.yaml", "bin/upper", "bin/upper-mips", "words.txt", SUMS}
    assert (place / "bin" / "upper").stat().st_mode & 0o777 == 0o755
    assert (place / "words.txt").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["upper"]


def test_the_same_folder_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = pack(folder, tmp_path / "first.tar.gz").file.read_bytes()
    for path in folder.rglob("*"):
        path.touch()
    assert pack(folder, tmp_path / "second.tar.gz").file.read_bytes() == first


def test_what_was_installed_can_be_packed_again(package: Path, tmp_path: Path) -> None:
    installed = install(package, tmp_path / "plugins")
    again = pack(installed.folder, tmp_path / "again.tar.gz")
    assert again.file.read_bytes() == package.read_bytes()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda texts: texts.update({"bin/upper": b"other"}), "bin/upper in .* is [0-9a-f]{64}, and its"),
        (lambda texts: texts.pop("words.txt"), "lacks words.txt, which its SHA256SUMS names"),
        (lambda texts: texts.update({"more": b""}), "has more, which its SHA256SUMS does not name"),
        (lambda texts: texts.pop(SUMS), "has no SHA256SUMS, so it is no package"),
        (
            lambda texts: texts.update({SUMS: b"nonsense"}),
            "line 1 of SHA256SUMS is not as sha256sum writes it",
        ),
        (lambda texts: texts.update({"../outside": b""}), "would write '../outside', which is outside"),
        (lambda texts: texts.update({"a/../../outside": b""}), "which is outside of its own folder"),
        (lambda texts: texts.update({"/etc/cron.d/x": b""}), "would write '/etc/cron.d/x', which is outside"),
        (lambda texts: texts.update({".bashrc": b""}), "'.bashrc' in the package is a hidden file"),
        (lambda texts: texts.update({"Words.txt": b""}), "has '[wW]ords.txt' twice"),
        (lambda texts: texts.update({"words.txt/more": b""}), "words.txt.* as a file, and as a folder"),
        (lambda texts: texts.update({"BIN": b""}), "'BIN' as a file, and as a folder"),
        (lambda texts: texts.update({"x" * 300: b""}), "is too long .at most 64 folders deep, and 255 bytes"),
        (lambda texts: texts.update({"d/" * 2000 + "x": b""}), "is too long"),
    ],
)
def test_a_package_that_was_changed_is_refused(
    package: Path, tmp_path: Path, change: Change, why: str
) -> None:
    with pytest.raises(PackageRefused, match=why):
        install(changed(package, change), tmp_path / "plugins")
    assert not (tmp_path / "plugins").exists()
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_package_with_anything_but_plain_files_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "links.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(PackageRefused, match="packages have plain files only"):
        install(path, tmp_path / "plugins")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no archive either" * 100, mtime=0)],
    ids=["empty", "no archive", "a compressed text"],  # a test's name must be the same in every worker
)
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(PackageRefused):
        install(tmp_path / "x.tar.gz", tmp_path / "plugins")


def test_a_package_that_was_cut_off_is_refused(package: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(package.read_bytes()[:-40])
    with pytest.raises(PackageRefused):
        install(cut, tmp_path / "plugins")


def test_a_package_that_grows_beyond_all_bounds_is_refused(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_runtime.plugins.packages.archive.MOST_BYTES", 1000)
    large = changed(package, lambda texts: texts.update({"large": bytes(1001)}), sums=True)
    with pytest.raises(PackageRefused, match="is too large"):
        install(large, tmp_path / "plugins")


def test_what_is_wrong_with_a_manifest_is_told_by_the_package_that_it_is_in(
    package: Path, tmp_path: Path
) -> None:
    wrong = changed(package, lambda texts: texts.update({"plugin.yaml": b"{{{"}), sums=True)
    with pytest.raises(PackageRefused, match=r"/changed\.tar\.gz/plugin\.yaml:1:2: "):
        install(wrong, tmp_path / "plugins")


def test_a_package_without_its_program_is_refused(package: Path, tmp_path: Path) -> None:
    lacking = changed(package, lambda texts: texts.pop("bin/upper-mips"), sums=True)
    with pytest.raises(PackageRefused, match=r"starts '\./bin/upper-mips', which is not there"):
        install(lacking, tmp_path / "plugins")


def test_a_file_in_the_plugins_place_is_replaced_if_that_is_asked_for(package: Path, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "upper").touch()
    with pytest.raises(PackageRefused, match=r"is there already \(and is no plugin\)"):
        install(package, tmp_path / "plugins")
    install(package, tmp_path / "plugins", replace=True)
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["upper"]


def test_a_package_that_could_not_be_written_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "p.tar.gz"
    old.write_text("what was there")
    (tmp_path / ".p.tar.gz.part").mkdir()
    with pytest.raises(OSError, match="directory"):
        pack(folder, old)
    assert old.read_text() == "what was there"


def test_a_package_for_other_machines_is_refused(folder: Path, tmp_path: Path) -> None:
    manifest = folder / "plugin.yaml"
    manifest.write_text(manifest.read_text().replace(f"{this_platform()}:", "windows/amd64:"))
    package = pack(folder, tmp_path / "p.tar.gz").file
    why = f"has no program for {this_platform()}; it has some for plan9/mips, windows/amd64"
    with pytest.raises(PackageRefused, match=why):
        install(package, tmp_path / "plugins")


def test_a_package_for_another_hector_is_refused(folder: Path, tmp_path: Path) -> None:
    manifest = folder / "plugin.yaml"
    manifest.write_text(manifest.read_text() + '  hector_version: ">=99"\n')
    with pytest.raises(PackageRefused, match="needs Hector >=99, and this is"):
        install(pack(folder, tmp_path / "p.tar.gz").file, tmp_path / "plugins")


def test_one_that_is_there_is_replaced_only_if_that_is_asked_for(package: Path, tmp_path: Path) -> None:
    place = install(package, tmp_path / "plugins").folder
    (place / "mark").touch()
    with pytest.raises(PackageRefused, match=r"is there already \(version 1.2.0\); --replace"):
        install(package, tmp_path / "plugins")
    assert (place / "mark").exists()
    assert install(package, tmp_path / "plugins", replace=True).replaced == "1.2.0"
    assert not (place / "mark").exists()
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["upper"]


def test_a_signature_says_who_packed_it(folder: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    packed = pack(folder, tmp_path / "p.tar.gz", keys[0])
    assert packed.signer.startswith("SHA256:")
    assert install(packed.file, tmp_path / "plugins", keys[1]).signer == packed.signer


def test_somebody_else_s_signature_or_none_is_refused_where_one_is_asked_for(
    folder: Path, package: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    other = keys_in(tmp_path, "other")
    with pytest.raises(PackageRefused, match="is not signed, and has to be signed with SHA256:"):
        install(package, tmp_path / "plugins", keys[1])
    signed = pack(folder, tmp_path / "p.tar.gz", other[0]).file
    with pytest.raises(PackageRefused, match=r"is signed with SHA256:.*, and has to be signed with SHA256:"):
        install(signed, tmp_path / "plugins", keys[1])


def test_a_signature_of_other_contents_is_refused_even_where_none_is_asked_for(
    folder: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    signed = pack(folder, tmp_path / "p.tar.gz", keys[0]).file
    other = changed(signed, lambda texts: texts.update({"bin/upper": b"other"}), sums=True)
    with pytest.raises(PackageRefused, match="is not that of its contents"):
        install(other, tmp_path / "plugins")
    forged = changed(signed, lambda texts: texts.update({SIGNATURE: base64.b64encode(bytes(32)) + b"\n"}))
    with pytest.raises(PackageRefused, match="is not that of its contents"):
        install(forged, tmp_path / "plugins")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("command: [./missing]", "starts './missing', which is not there"),
        ("command: [/usr/bin/env, x]", "starts '/usr/bin/env', which is not in the package"),
        ("command: [../upper]", "starts '../upper', which is not in the package"),
        (f"command: [bin/upper]\n  sha256: {'0' * 64}", "says sha256 0+, and bin/upper is"),
    ],
)
def test_a_manifest_that_starts_what_is_not_packed_is_refused(
    folder: Path, tmp_path: Path, line: str, why: str
) -> None:
    manifest = folder / "plugin.yaml"
    manifest.write_text(manifest.read_text() + f"  {line}\n")
    with pytest.raises(PackageRefused, match=why):
        pack(folder, tmp_path / "p.tar.gz")
    assert not (tmp_path / "p.tar.gz").exists()


def test_a_folder_with_links_is_not_packed(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(PackageRefused, match="packages have no links; put a copy in its place"):
        pack(folder, tmp_path / "p.tar.gz")


def names_packed(folder: Path) -> set[str]:
    packed = pack(folder, folder / "upper-1.2.0.tar.gz", dry=True)
    assert not packed.file.exists()
    return set(packed.files)


def test_what_git_ignores_is_not_packed_but_for_what_the_manifest_starts(folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n/bin/\n")
    (folder / "src" / "made").mkdir(parents=True)
    (folder / "src" / ".gitignore").write_text("made/*\n!made/kept.txt\n")
    for name in ("a.log", "bin/other", "src/main.c", "src/made/x", "src/made/kept.txt"):
        (folder / name).write_text("")
    (folder / "bin" / "upper.conformance.json").write_text("{}")
    assert names_packed(folder) == {
        *("plugin.yaml", "words.txt", "bin/upper", "bin/upper-mips", "bin/upper.conformance.json"),
        *("src/main.c", "src/made/kept.txt"),
    }


def test_a_server_s_config_and_earlier_packages_are_not_packed(folder: Path) -> None:
    (folder / "hector.yaml").write_text("")
    (folder / "upper-1.1.0.tar.gz").write_text("")
    assert names_packed(folder) == {"plugin.yaml", "words.txt", "bin/upper", "bin/upper-mips"}


def test_a_manifest_may_say_which_files_are_packed(folder: Path) -> None:
    manifest = folder / "plugin.yaml"
    (folder / ".gitignore").write_text("data/\n")
    (folder / "data").mkdir()
    for name in ("data/a.txt", "data/b.bin", "data/large.txt"):
        (folder / name).write_text("")
    started = {"plugin.yaml", "bin/upper", "bin/upper-mips"}
    manifest.write_text(manifest.read_text() + "  files: []\n")
    assert names_packed(folder) == started
    manifest.write_text(manifest.read_text().replace("[]", '["data/*.txt", "!data/large.txt"]'))
    assert names_packed(folder) == {*started, "data/a.txt"}
    manifest.write_text(manifest.read_text().replace("data/*", "date/*"))
    with pytest.raises(PackageRefused, match=r"`files` has 'date/\*.txt', and nothing there is named so"):
        names_packed(folder)


@pytest.mark.parametrize(
    "name", ["id_ed25519", "prod.env", "keys/tls.key", "store.p12", "maker.pem", "a.txt"]
)
def test_what_looks_like_a_secret_is_not_packed(folder: Path, name: str) -> None:
    kept = folder / name
    kept.parent.mkdir(exist_ok=True)
    keys_in(kept.parent, "made")
    (kept.parent / "made.pem").rename(kept)
    with pytest.raises(PackageRefused, match=rf"{name} looks like a secret, and a package is handed on"):
        names_packed(folder)
    (folder / ".gitignore").write_text(f"/{name}\n")
    assert name not in names_packed(folder)


def test_a_certificate_may_be_packed_and_the_key_that_signs_stays_where_it_is(folder: Path) -> None:
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    private, _ = keys_in(folder, "maker")
    packed = pack(folder, folder / "p.tar.gz", private)
    assert {"ca.pem", "maker.pub.pem"} <= set(packed.files)
    assert "maker.pem" not in packed.files


def test_a_script_that_was_not_built_yet_is_not_packed(folder: Path) -> None:
    manifest = folder / "plugin.yaml"
    manifest.write_text(manifest.read_text() + "  command: [node, dist/main.cjs]\n")
    with pytest.raises(PackageRefused, match=r"starts 'dist/main\.cjs', which is not there; build it first"):
        names_packed(folder)


def test_what_would_be_packed_is_listed_with_its_sizes(folder: Path, tmp_path: Path) -> None:
    (folder / "words.txt").write_bytes(bytes(2500))
    listed = CliRunner().invoke(pack_command, [str(folder), "--dry-run", "-o", str(tmp_path / "p.tar.gz")])
    assert "    2.5 kB  words.txt\n" in listed.output
    assert not (tmp_path / "p.tar.gz").exists()


def test_a_folder_without_a_manifest_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageRefused, match=r"has no plugin.yaml; write one"):
        pack(tmp_path / "empty")


def test_a_key_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(PackageRefused, match="openssl genpkey -algorithm ed25519"):
        pack(folder, tmp_path / "p.tar.gz", tmp_path / "key.pem")


def test_the_commands_say_what_was_done_and_what_comes_next(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packed = CliRunner().invoke(pack_command, [str(folder)])
    assert re.fullmatch(
        r"upper-1.2.0.tar.gz: upper 1.2.0, 4 files, 1\d\d B, packed \d+ B, not signed\n", packed.output
    )
    installed = CliRunner().invoke(install_command, ["upper-1.2.0.tar.gz"])
    assert installed.output == (
        "plugins/upper: upper 1.2.0, not signed\n"
        "plugins:\n"
        "  tool_providers:\n"
        "    upper: {path: ./plugins/upper}\n"
    )
    again = CliRunner().invoke(install_command, ["upper-1.2.0.tar.gz"])
    assert again.exit_code == 1
    assert "plugins/upper is there already" in again.output

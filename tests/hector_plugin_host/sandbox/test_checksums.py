"""What a plugin is pinned to is what runs, not what had its name a moment before."""

import hashlib
import shutil
from pathlib import Path

import pytest
from support.confinement import confined

from hector_plugin_host.sandbox import survey
from hector_plugin_host.start_failed import ChecksumMismatch

from .conftest import needs

TIERS = ["off", "bubblewrap", "landlock"]
pytestmark = pytest.mark.skipif(not survey().linux, reason="descriptors are executed on Linux only")


def sum_of(program: Path) -> str:
    return hashlib.sha256(program.read_bytes()).hexdigest()


@pytest.mark.parametrize("tier", TIERS)
async def test_a_program_that_took_its_place_after_the_check_does_not_run(tmp_path: Path, tier: str) -> None:
    if tier != "off":
        needs(tier)
    ran = tmp_path / "ran"
    program = Path(shutil.copy("/bin/touch", tmp_path / "program"))
    security = {"sandbox": tier, "allowed_paths": (f"{tmp_path}:rw",)}
    command = (str(program), str(ran))
    other = "0" * 64
    with pytest.raises(ChecksumMismatch, match=f"has the SHA-256 {sum_of(program)}, .* pins {other}"):
        await confined("", tmp_path, command=command, security=security, sha256=other)
    assert not ran.exists()
    outcome = await confined("", tmp_path, command=command, security=security, sha256=sum_of(program))
    assert (outcome.code, ran.exists()) == (0, True), outcome.printed


@pytest.mark.parametrize("tier", TIERS)
async def test_a_program_that_its_pin_means_knows_its_place_and_its_name(tmp_path: Path, tier: str) -> None:
    if tier != "off":
        needs(tier)
    program = Path(shutil.copy("/bin/readlink", tmp_path / "program"))
    outcome = await confined(
        "",
        tmp_path,
        command=(str(program), "/proc/self/exe", "/proc/self/cwd"),
        security={"sandbox": tier},
        sha256=sum_of(program),
    )
    assert outcome.printed.splitlines() == [str(program), str(tmp_path)]

"""Ours: nothing a model says leads out of the folder, shows a secret, or hangs."""

import os
import socket
import stat
from pathlib import Path

import grpc
import pytest

from hector_mesh import info_of
from hector_tool.errors import ToolDenied, ToolFailed
from hector_tool.folder import Folder

SECRET = "TOP SECRET"

ESCAPES = {
    "one up": "../secret.txt",
    "up from below": "docs/../../secret.txt",
    "far up": "../" * 40 + "etc/passwd",
    "up through a folder that is not there": "nowhere/../../secret.txt",
    "up after a dot": "./.././secret.txt",
    "doubled slashes": "..//secret.txt",
    "up through a file": "readme.md/../../secret.txt",
    "just up": "..",
    "a prefix twin": "../project-twin/secret.txt",
    "an absolute path": "/etc/passwd",
    "an absolute path with two slashes": "//etc/passwd",
    "the process itself": "/proc/self/environ",
    "an absolute prefix twin": "{project}-twin/secret.txt",
    "the root, then up": "{project}/../secret.txt",
    "a link to a file outside": "link-file",
    "a link to a folder outside": "link-folder/secret.txt",
    "a link to the folder above": "link-up/secret.txt",
    "a link to an absolute file": "link-etc",
    "a link to a link": "link-link",
    "a link to a prefix twin": "link-twin/secret.txt",
    "a link deeper down": "docs/link-deep/secret.txt",
    "a link back up through the folder": "docs/link-through",
    "a link to itself": "link-self",
    "links in a circle": "link-a",
    "a link to nothing": "link-nothing",
    "a link to the process's root": "link-proc/etc/passwd",
    "another spelling of up": "..\\secret.txt",
    "an encoded spelling of up": "%2e%2e/secret.txt",
    "a home folder": "~/secret.txt",
    "a URL": "file:///etc/passwd",
    "a NUL": "readme.md\0/../../secret.txt",
    "a NUL at the end": "readme.md\0",
    "a very long name": "a" * 300,
    "a very long path": "a/" * 2000,
}

SECRETS = [
    ".env",
    ".ENV",
    ".env.production",
    "prod.env",
    ".hector/hector.db",
    "docs/.hector/auth",
    ".git/config",
    "deploy/id_rsa",
    "tls/server.key",
    "tls/server.pem",
    ".npmrc",
    ".ssh/known_hosts",
    "link-to-env",
    "docs/../.env",
    "link-to-hector/hector.db",
]


@pytest.fixture
def trapped(project) -> Path:
    """The project with every trap laid."""
    up = project.parent
    links = {
        "link-file": "../secret.txt",
        "link-folder": str(up),
        "link-up": "..",
        "link-etc": "/etc/passwd",
        "link-link": "link-file",
        "link-twin": f"{project}-twin",
        "docs/link-deep": str(up),
        "docs/link-through": "../../secret.txt",
        "link-self": "link-self",
        "link-a": "link-b",
        "link-b": "link-a",
        "link-nothing": "nowhere.txt",
        "link-proc": "/proc/self/root",
        "link-to-env": ".env",
        "link-to-hector": ".hector",
    }
    for name, target in links.items():
        (project / name).symlink_to(target)
    for name in SECRETS:
        path = project / name
        if "link" not in name and ".." not in name:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SECRET)
    return project


@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES.keys())
async def test_no_path_leads_out(trapped, every, call, path):
    path = path.format(project=trapped) if "{" in path else path
    for tool, arguments in (("read_file", {"path": path}), ("grep_search", {"path": path, "pattern": "."})):
        refusal = await refused(call(every, tool, **arguments))
        assert refusal
        assert SECRET not in refusal


async def refused(calling) -> str:
    """Return why a call was refused or failed; empty if it was not."""
    try:
        said = await calling
    except grpc.aio.AioRpcError as error:
        known = info_of(error).reason in ("TOOL_DENIED", "TOOL_ARGUMENTS_INVALID")
        return error.details() if known else ""
    return "" if said.success or said.result or said.structured_json else said.error


@pytest.mark.parametrize("path", SECRETS)
async def test_files_that_hold_secrets_by_their_name_are_denied(trapped, every, call, path):
    for tool, arguments in (("read_file", {"path": path}), ("grep_search", {"path": path, "pattern": "."})):
        with pytest.raises(grpc.aio.AioRpcError, match="may hold secrets") as failed:
            await call(every, tool, **arguments)
        assert info_of(failed.value).reason == "TOOL_DENIED"


async def test_a_search_through_the_whole_folder_finds_nothing_outside_and_no_secret(trapped, every, call):
    said = await call(every, "grep_search", pattern="SECRET|root:", max_results=1000)
    assert said.success
    assert "Nothing in . matches" in said.result


async def test_an_example_of_a_secret_is_none(project, every, call):
    (project / ".env.example").write_text("OPENAI_API_KEY=")
    assert (await call(every, "read_file", path=".env.example")).success


async def test_messages_do_not_name_folders_of_this_machine(trapped, every, call):
    for path in ("nowhere.md", "link-nothing", "link-self"):
        assert str(trapped) not in (await call(every, "read_file", path=path)).error


@pytest.mark.parametrize(
    "path",
    ["docs/link-in", "link-abs", "docs/deep/../guide.md", "{project}/docs/guide.md", "./docs//guide.md"],
)
async def test_links_and_paths_that_stay_inside_work(project, every, call, path):
    (project / "docs" / "link-in").symlink_to("../docs/guide.md")
    (project / "link-abs").symlink_to(project / "docs" / "guide.md")
    said = await call(every, "read_file", path=path.format(project=project))
    assert "gamma" in said.result


async def test_a_root_that_is_itself_a_link_works(project, serve, call):
    (project / "linked").symlink_to("docs")
    tools = await serve({"read_file": {"working_directory": "linked"}})
    assert (await call(tools, "read_file", path="guide.md")).success
    assert (await call(tools, "read_file", path=str(project / "linked" / "guide.md"))).success
    assert (await call(tools, "read_file", path=str(project / "docs" / "guide.md"))).success


async def test_a_root_that_is_gone_says_so(project, serve, call):
    tools = await serve({"read_file": {"working_directory": "gone"}})
    assert "working_directory" in (await call(tools, "read_file", path="guide.md")).error


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
async def test_what_is_no_file_is_refused_without_waiting_for_it(project, every, call, kind):
    path = project / kind
    listening = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(project)  # a socket's path has 107 bytes
        try:
            listening.bind(kind)
        finally:
            os.chdir(here)
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    said = await call(every, "read_file", path=kind)
    listening.close()
    assert f"a {'named ' * (kind == 'pipe')}{kind}" in said.error
    assert "Nothing in" in (await call(every, "grep_search", pattern="zebra")).result


SWAPS = {
    "a folder by a link to outside": ("swap", lambda path, outside: path.symlink_to(outside)),
    "a file by a link to outside": ("swap/secret.txt", lambda path, out: path.symlink_to(out / "secret.txt")),
    "a file by a pipe": ("swap/secret.txt", lambda path, outside: os.mkfifo(path)),
}


@pytest.mark.parametrize(("name", "put"), SWAPS.values(), ids=SWAPS.keys())
def test_what_is_swapped_between_looking_and_opening_leads_nowhere(project, monkeypatch, name, put):
    """The classic race, won by the attacker every time: the swap comes right after the look."""
    (project / "swap").mkdir()
    (project / "swap" / "secret.txt").write_text("harmless")
    look, swapped = os.stat, []

    def look_and_swap(path, **how):
        seen = look(path, **how)
        if path == Path(name).name and not swapped:
            swapped.append((project / name).rename(project / "parked"))
            put(project / name, project.parent)
        return seen

    monkeypatch.setattr("hector_tool.folder.os.stat", look_and_swap)
    with (
        pytest.raises(ToolFailed, match=r"replaced|pipe|not a directory"),
        Folder(project).opened("swap/secret.txt"),
    ):
        pass
    assert swapped


def test_a_folder_swapped_after_it_was_opened_changes_nothing(project, monkeypatch):
    (project / "swap").mkdir()
    (project / "swap" / "secret.txt").write_text("harmless")
    look = os.stat

    def swap_and_look(path, **how):
        if path == "secret.txt" and not (project / "parked").exists():
            (project / "swap").rename(project / "parked")
            (project / "swap").symlink_to(project.parent)
        return look(path, **how)

    monkeypatch.setattr("hector_tool.folder.os.stat", swap_and_look)
    with Folder(project).opened("swap/secret.txt") as file:
        assert os.read(file.fd, 100) == b"harmless"
    assert (project / "swap" / "secret.txt").read_text() == SECRET


def test_nothing_stays_open(trapped):
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    folder, before = Folder(trapped), count()
    for path in [*ESCAPES.values(), *SECRETS, "docs/guide.md", "docs", "."]:
        try:
            with folder.opened(path.format(project=trapped) if "{" in path else path):
                pass
        except (ToolDenied, ToolFailed):
            pass
    assert count() == before

"""Ours: a file has one idea, and the tree knows nothing of the machine it was written on."""

import re
from pathlib import Path

LONGEST_LINES = 600
MACHINE = re.compile(r"(?<![\w./}-])/(?:work/(?:main|shared)|root|opt/wheels)(?:/|\b)")
INDEX = re.compile(
    r"files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|static\.crates\.io|proxy\.golang\.org"
    r"|repo1?\.maven\.(?:apache\.)?org|--(?:extra-)?index-url[ =]\S*://|--find-links[ =]\S*://"
)


def is_written(path: Path, root: Path) -> bool:
    """Tell whether people write this file; locks and stubs are made by programs."""
    room = path.relative_to(root).parts
    made = room[:2] == ("proto", "gen") or path.name.endswith((".pb.go", "_pb.ts"))
    return not made and room[0] != "requirements" and path.suffix != ".json"


def test_no_written_file_is_too_long_to_hold_one_idea(root: Path, texts: dict[Path, str]) -> None:
    sources = {".py", ".pyi", ".proto", ".sh", ".toml", ".yaml", ".yml", ".ts", ".tsx", ".go", ".rs", ".java"}
    long = {
        str(path.relative_to(root)): lines
        for path, text in texts.items()
        if path.suffix in sources and is_written(path, root) and (lines := text.count("\n")) > LONGEST_LINES
    }
    assert long == {}


def test_no_file_names_a_path_of_this_machine(root: Path, texts: dict[Path, str]) -> None:
    assert mentions(MACHINE, root, texts) == []


def test_no_file_names_the_address_of_a_package_index(root: Path, texts: dict[Path, str]) -> None:
    assert mentions(INDEX, root, texts) == []


def test_every_room_says_in_its_first_line_what_it_is(root: Path, texts: dict[Path, str]) -> None:
    signs = [path for path in texts if path.name == "__init__.py" and is_written(path, root)]
    silent = [str(path.relative_to(root)) for path in signs if not texts[path].startswith(('"""', 'r"""'))]
    assert silent == []


def test_every_package_says_that_it_is_typed(root: Path, files: list[Path]) -> None:
    rooms = ("services", "gateway", "plugins", "proto/gen")
    packages = [path for room in rooms for path in (root / room).glob("hector*") if any(path.glob("*.py"))]
    assert [package.name for package in packages if package / "py.typed" not in files] == []


def mentions(pattern: re.Pattern[str], root: Path, texts: dict[Path, str]) -> list[str]:
    """List file:line: text of every line that matches."""
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path, text in texts.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]

"""Secret, Duration, ByteSize, Text, ProjectPath: what they take, and in what words they refuse."""
# ruff: noqa: E501, UP031  (messages as they are printed)

import copy
import pickle
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from hector_config import (
    ByteSize,
    Duration,
    ProjectPath,
    RefersTo,
    Secret,
    Section,
    Text,
    load,
    project_dir_for,
)


class Quantities(Section):
    wait: Duration = 1.0
    size: ByteSize = 1
    label: Text = ""
    bounded: Annotated[Duration, Field(gt=1, le=60)] = 5.0
    small: Annotated[ByteSize, Field(le=1024)] = 5


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30", 30), ("0", 0), ("1.5", 1.5), ("30s", 30), ("250ms", 0.25), ("5m", 300), ("1h30m", 5400),
        ("1h30m15s500ms", 5415.5), ("0.5h", 1800), ("2d", 172800), ("'30'", 30), ("0s", 0),
    ],
)  # fmt: skip
def test_a_duration_is_seconds(written, seconds):
    assert load(f"wait: {written}", Quantities, environment={}).config.wait == seconds


@pytest.mark.parametrize(
    "written", ["-1", "1h30", "5 m", "5M", "1us", "s", "''", "-5s", "true", ".inf", ".nan", "[1]"]
)
def test_what_is_no_duration_is_told_how_to_write_one(written, errors_of):
    [line] = errors_of(f"wait: {written}", Quantities)
    assert 'allowed: a duration such as 30, "250ms", "30s", "5m" or "1h30m"' in line


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("0", 0), ("1024", 1024), ("10MB", 10_000_000), ("1GiB", 1 << 30), ("1 KiB", 1024), ("1.5k", 1500),
        ("64Ki", 65536), ("2g", 2_000_000_000), ("5B", 5), ("'7'", 7), ("1tb", 10**12),
    ],
)  # fmt: skip
def test_a_size_is_bytes(written, size):
    assert load(f"size: {written}", Quantities, environment={}).config.size == size


@pytest.mark.parametrize("written", ["-1", "1.5", "1.5B", "10XB", "MB", "true", "1 2", "''", "{}"])
def test_what_is_no_size_is_told_how_to_write_one(written, errors_of):
    [line] = errors_of(f"size: {written}", Quantities)
    assert 'allowed: a size such as 1048576, "10MB" or "1GiB"' in line


def test_bounds_hold_for_quantities_too(errors_of):
    assert errors_of("bounded: 1s\nsmall: 1MB", Quantities) == [
        'h.yaml:1:10: bounded: wrong value: found "1s", allowed: greater than 1 s',
        'h.yaml:2:8: small: wrong value: found "1MB", allowed: at most 1024 bytes',
    ]


@pytest.mark.parametrize(
    ("written", "text"),
    [("1.10", "1.10"), ("8080", "8080"), ("true", "true"), ("0x10", "0x10"), ("'5'", "5"), ("on", "on")],
)
def test_text_is_what_was_written(written, text):
    assert load(f"label: {written}", Quantities, environment={}).config.label == text


def test_text_is_not_nothing(errors_of):
    assert errors_of("label:\n", Quantities) == [
        "h.yaml:1:7: label: wrong value: found nothing, allowed: a string"
    ]


def test_in_python_quantities_take_what_a_file_takes():
    made = Quantities(wait="5m", size="1KiB", label=5)
    assert (made.wait, made.size, made.label) == (300.0, 1024, "5")


class Keys(Section):
    key: Secret | None = None
    many: list[Secret] = []
    both: Secret | int = 0


def test_a_secret_shows_only_when_it_is_asked_to():
    secret = Secret("hunter22")
    keys = Keys(key=secret, many=["hunter22"], both="hunter22")
    for shown in (
        repr(secret), str(secret), f"{secret}", f"{secret:>10}", f"{secret!r:}", "%s" % secret, "%r" % (secret,),
        repr(keys), str(keys), keys.model_dump_json(), str(keys.model_dump()), str(keys.model_dump(mode="json")),
        str(list(keys)), repr([secret]), repr({"a": secret}),
    ):  # fmt: skip
        assert "hunter22" not in shown
        assert "***" in shown
    assert secret.reveal() == "hunter22"
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_copy_and_hash_by_what_they_hold():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert copy.deepcopy(Secret("a")) == Secret("a") == pickle.loads(pickle.dumps(Secret("a")))
    assert not Secret("")
    assert Secret("ä") != Secret("a")


def test_a_mask_is_not_taken_for_the_secret(errors_of):
    """Ours: what was dumped and loads again must not replace a key by three stars."""

    assert errors_of("key: '***'", Keys) == ["h.yaml:1:6: key: this is the mask of a secret, not the secret"]


def test_a_refused_secret_is_not_shown(errors_of):
    lines = errors_of("key: 12345678\nmany: hunter22\nboth: [hunter22]", Keys)
    assert lines == [
        "h.yaml:1:6: key: wrong value: found a number, allowed: a string (put it in quotes)",
        "h.yaml:2:7: many: wrong value: found a string, allowed: a list",
        "h.yaml:3:1: both: wrong value: found a list, allowed: a string or a whole number",
    ]


def test_pydantic_itself_does_not_show_what_it_refused():
    with pytest.raises(ValidationError) as caught:
        Keys(key=["hunter22"], nonsense="hunter22")
    assert "hunter22" not in str(caught.value)


class Places(Section):
    data: ProjectPath = Path("data")
    more: list[ProjectPath] = []
    maybe: ProjectPath | None = None


class Nested(Section):
    one: Places = Places()
    two: Places = Field(default_factory=Places)


def test_relative_paths_belong_to_the_project_folder_defaults_included(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    file = tmp_path / "p" / ".hector" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("one: {more: [a, ./b, ../c, /d, ~/e, '~f'], maybe: x}\n")
    loaded = load(file, Nested, environment={})
    project = tmp_path / "p"
    assert loaded.project_dir == project
    assert loaded.config.one.data == loaded.config.two.data == project / "data"
    assert loaded.config.one.more == [
        project / "a", project / "b", project / "../c", Path("/d"), Path("/home/me/e"), project / "~f",
    ]  # fmt: skip
    assert loaded.config.one.maybe == project / "x"


def test_a_text_belongs_to_the_working_folder_unless_one_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("{}", Nested, environment={}).config.one.data == tmp_path / "data"
    assert load("{}", Nested, environment={}, project_dir=Path("/p")).config.one.data == Path("/p/data")
    assert Places().data == Path("data")


@pytest.mark.parametrize("written", ["''", "5", '"a\\0b"', "[x]", "true"])
def test_what_is_no_path_is_refused(written, errors_of):
    [line] = errors_of(f"data: {written}", Places)
    assert "allowed: a path" in line


@pytest.mark.parametrize(
    ("file", "folder"),
    [("/p/h.yaml", "/p"), ("/p/.hector/config.yaml", "/p"), ("/p/.hector/x/c.yaml", "/p/.hector/x")],
)
def test_the_project_folder_holds_the_config_or_its_dot_hector(file, folder):
    assert project_dir_for(Path(file)) == Path(folder)


class Referring(Section):
    things: dict[str, int] = {}
    deep: dict[str, dict[str, int]] = {}
    one: Annotated[str, RefersTo("things")] | None = None
    many: tuple[Annotated[str, RefersTo("things", "deep.*", also=("free",))], ...] = ()
    weights: dict[Annotated[str, RefersTo("things")], float] = {}
    either: Annotated[str, RefersTo("things")] | list[Annotated[str, RefersTo("things")]] = []


def test_references_are_found_in_lists_maps_and_choices(errors_of):
    text = (
        "things: {alpha: 1, beta: x}\n"
        "deep: {x: {gamma: 1}}\n"
        "one: alhpa\n"
        "many: [alpha, gamma, free, gama]\n"
        "weights: {alpha: 1, betta: 2}\n"
        "either: [beta, nothing_like_it]\n"
    )
    assert errors_of(text, Referring) == [
        'h.yaml:1:26: things.beta: wrong value: found "x", allowed: a whole number',
        'h.yaml:3:6: one: "alhpa" is not declared under things:, allowed: alpha, beta (did you mean "alpha"?)',
        'h.yaml:4:28: many[3]: "gama" is not declared under things: or deep.*:, '
        'allowed: alpha, beta, free, gamma (did you mean "gamma"?)',
        'h.yaml:5:21: weights.betta: "betta" is not declared under things:, allowed: alpha, beta (did you mean "beta"?)',
        'h.yaml:6:16: either[1]: "nothing_like_it" is not declared under things:, allowed: alpha, beta',
    ]


def test_what_exists_without_being_declared_can_be_told():
    loaded = load("one: built_in", Referring, environment={}, known={"things": ["built_in"]})
    assert loaded.config.one == "built_in"


def test_outside_the_loader_references_are_not_checked():
    assert Referring(one="anything").one == "anything"

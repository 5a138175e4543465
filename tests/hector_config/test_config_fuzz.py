"""Whatever the bytes are, the answer is a config or a ConfigInvalid with places in it."""
# ruff: noqa: E501  (files as they are written)

import json
import random
import string
from pathlib import Path

import pytest

from hector_config import Alias, ConfigInvalid, dump, load
from hector_config.dotenv import parse_dotenv

WORDS = [
    "llms", "tools", "agents", "storage", "env", "free", "a", "b", "model", "type", "command", "function", "handler",
    "api_key", "${A}", "${B:-x}", "${C", "${}", "$${A}", "$", "x-base", "<<", "*a", "&a", "&b", "*b", "!!str", "!!int", "!x",
    "{", "}", "[", "]", ":", ": ", ",", "- ", "? ", "|", ">", ">-", "'", '"', "#", "---", "...", "%YAML 1.2", "@", "`", "\t",
    "\n", "\n", "\n  ", "\n    ", "\n- ", " ", "0", "1.5", "0755", ".nan", "true", "null", "~", "on", "12:30", "5m", "***",
    "\\", "\\u0000", "\u2028", "\ufeff", "é", "💥", "\r\n", "\r", "\x00", "\x85", "inline", "tools", "schema", "limit",
]  # fmt: skip
GOOD = Path(__file__).with_name("fuzz_seed.yaml").read_text()
ENV = {"A": "s3cr3t-value", "NUMBER": "12"}
OPTIONS = {
    "aliases": [
        Alias("llms.*.model", "llms.*.name"), Alias("tools.*.type", "tools.*.type", values={"command": "cmd"}),
        Alias("env", "free.env"), Alias("free.*.*", "free.*.x.y"), Alias("agents.*.tools.*", "agents.*.llm"),
        Alias("storage.path", ""),
    ],
}  # fmt: skip


def _survives(source: str | Path, model, **options) -> None:
    problems = []
    try:
        dump(load(source, model, environment=ENV, **options))
    except ConfigInvalid as error:
        problems = list(error.problems) or [None]
    assert "\n" not in "".join(map(str, problems))
    assert all(problem.message and problem.line >= 0 for problem in problems)
    assert "s3cr3t-value" not in "".join(map(str, problems))


def test_the_seed_of_the_fuzz_tests_loads(root_model):
    assert load(GOOD, root_model, environment=ENV).config.llms["fast"].max_tokens == 12


@pytest.mark.parametrize("seed", range(6))
def test_random_words_of_yaml_never_surprise(root_model, seed):
    chance = random.Random(seed)
    for _ in range(300):
        text = "".join(chance.choices(WORDS, k=chance.randint(1, 40)))
        _survives(text, root_model, **(OPTIONS if chance.random() < 0.5 else {}))


@pytest.mark.parametrize("seed", range(6))
def test_a_good_file_with_random_edits_never_surprises(root_model, seed):
    chance = random.Random(seed)
    for _ in range(150):
        text = GOOD
        for _ in range(chance.randint(1, 6)):
            at, until = sorted(chance.choices(range(len(text)), k=2))
            edit = chance.choice([
                text[:at] + chance.choice(WORDS) + text[at:],
                text[:at] + text[min(until, at + 12):],
                text[:at] + chance.choice(string.printable) + text[at + 1:],
                text[:at] + text[at : min(until, at + 60)] + text[at:],
            ])  # fmt: skip
            text = edit or GOOD
        _survives(text, root_model, **(OPTIONS if chance.random() < 0.5 else {}))


KEYS = [
    "llms", "tools", "agents", "storage", "env", "free", "version", "a", "b", "model", "type", "command", "handler", "api_key",
    "provider", "timeout", "limit", "schema", "llm", "inline", "effort", "path", "backups", "headers", "x-a", "odd key", "${A}",
]  # fmt: skip
LEAVES = [
    None, True, 0, -1, 1.5, 10**30, "", "a", "bash", "command", "function", "auto", "openai", "${A}", "${NUMBER}", "${NONE}",
    "${NONE:-5}", "5m", "1KB", "***", "~/x", "\u0000", "5", "on", "é" * 90,
]  # fmt: skip


def _shape(chance: random.Random, depth: int) -> object:
    kind = chance.random()
    if depth == 0 or kind < 0.35:
        return chance.choice(LEAVES)
    if kind < 0.5:
        return [_shape(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    return {chance.choice(KEYS): _shape(chance, depth - 1) for _ in range(chance.randint(0, 5))}


@pytest.mark.parametrize("seed", range(6))
def test_random_shapes_never_surprise(root_model, seed):
    chance = random.Random(seed)
    for _ in range(300):
        sections = {chance.choice(KEYS[:7]): _shape(chance, 4) for _ in range(4)}
        _survives(json.dumps(sections), root_model, **(OPTIONS if chance.random() < 0.5 else {}))


def test_random_bytes_never_surprise(root_model, tmp_path):
    chance = random.Random(1)
    file = tmp_path / "h.yaml"
    for _ in range(200):
        file.write_bytes(
            chance.randbytes(chance.randint(0, 80)) + (GOOD.encode() if chance.random() < 0.3 else b"")
        )
        _survives(file, root_model)


def test_random_env_files_never_surprise():
    chance = random.Random(2)
    letters = "AB=='\"\\#\n\r \t$exportx"
    for _ in range(3000):
        values, unclear = parse_dotenv("".join(chance.choices(letters, k=chance.randint(0, 40))))
        assert all(line >= 1 for line in unclear)
        assert all(isinstance(value, str) for value in values.values())

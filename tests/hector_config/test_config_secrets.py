"""No value of a secret or of a variable ever shows: not in errors, dumps, logs or tracebacks."""
# ruff: noqa: E501  (files as they are written)

import json
import logging
import traceback
from typing import Self

import pytest
from pydantic import BaseModel, model_validator

from hector_config import ConfigInvalid, Misfit, Secret, Section, dump, load

LITERAL = "s3cr3t-literal"
VARIABLE = "s3cr3t-variable"
ENV = {"KEY": VARIABLE, "NAME": "fast"}


@pytest.mark.parametrize(
    "text",
    [
        "llms: {a: {model: [KEY], api_key: [KEY]}}",
        "llms: {a: {model: m, api_key: {x: KEY}, headers: KEY}}",
        "llms: {a: KEY}",
        "llms: [KEY]",
        "llms: {a: {model: m, api_key: KEY, timeout: KEY, max_tokens: KEY, temperature: KEY, provider: KEY}}",
        "llms: {a: {model: m, apikey: KEY}}",
        "agents: {a: {llm: KEY, tools: [KEY], effort: KEY, streaming: KEY, inline: {model: m, api_key: [KEY]}}}",
        "tools: {a: {type: KEY}, b: KEY, c: {type: command, command: c, limit: KEY}}",
        "storage: {path: [KEY], backups: KEY}",
        "storage: KEY",
        "x: KEY",
    ],
)
def test_no_error_shows_what_a_variable_or_a_secret_holds(loads, text):
    for written in ("'${KEY}'", "'a ${KEY} b'", "'${NOTHING:-${KEY}}'"):
        with pytest.raises(ConfigInvalid) as caught:
            loads(text.replace("KEY", written), ENV)
        _check_hidden(caught.value, VARIABLE)


@pytest.mark.parametrize(
    "text",
    [
        "llms: {a: {model: m, api_key: [KEY]}}",
        "llms: {a: {model: m, headers: KEY}}",
        "llms: {a: KEY}",
        "llms: {a: {model: m, api_key: KEY, apikey: KEY, api_keys: [KEY]}}",
        "llms: {a: {model: m, api_key: KEY}}\nllms: KEY",
        "llms: {a: {model: m, api_key: KEY, api_key: KEY}}",
        "agents: {a: {inline: {model: 5, api_key: KEY}}}",
        "agents: {a: {inline: [KEY]}}",
        "llms: {a: {model: m, api_key: KEY}}\n  x: [KEY",
        "llms: {a: {model: m, api_key: KEY: KEY}}",
    ],
)
def test_no_error_shows_a_secret_that_is_written_out(loads, text):
    with pytest.raises(ConfigInvalid) as caught:
        loads(text.replace("KEY", LITERAL))
    _check_hidden(caught.value, LITERAL)


def _check_hidden(error: ConfigInvalid, value: str) -> None:
    shown = [
        str(error), repr(error), repr(error.args), repr(error.facts), repr(error.problems), repr(error.warnings),
        "".join(traceback.format_exception(error)), repr(error.__cause__), repr(error.__context__),
    ]  # fmt: skip
    assert not [text for text in shown if value in text]


class Keyed(Section):
    key: Secret
    other: str = ""

    @model_validator(mode="after")
    def _is_careless(self) -> Self:
        if self.other == "wrong":
            raise Misfit(f"{self.key.reveal()} and {self.other}", hint=f"not {self.key.reveal()}")
        raise ValueError(f"{self.key.reveal()} and {self.other}")


class Keyring(Section):
    one: Keyed


@pytest.mark.parametrize("written", [LITERAL, "${KEY}", "x-${KEY}-y"])
@pytest.mark.parametrize("other", ["wrong", "${KEY}", "as ${KEY}"])
def test_a_careless_validator_shows_no_secret_either(written, other):
    with pytest.raises(ConfigInvalid) as caught:
        load(f"one: {{key: '{written}', other: '{other}'}}", Keyring, environment=ENV)
    _check_hidden(caught.value, VARIABLE)
    _check_hidden(caught.value, LITERAL)
    assert "***" in str(caught.value) or "${KEY}" in str(caught.value)


def test_a_check_shows_no_secret_either(loads):
    def careless(data):
        yield Misfit(str(data), hint=str(data))

    with pytest.raises(ConfigInvalid) as caught:
        loads(f"llms: {{a: {{model: '${{KEY}}', api_key: {LITERAL}}}}}", ENV, checks=[careless])
    _check_hidden(caught.value, VARIABLE)
    _check_hidden(caught.value, LITERAL)


GOOD = f"""\
x-base: &base
  api_key: {LITERAL}  # a comment
llms:
  a: {{<<: *base, model: m, base_url: "http://u:pw12345@host/v1?k={VARIABLE}", headers: {{A: "Bearer ${{KEY}}", B: "${{KEY}}"}}}}
  b:
    model: m
    api_key: >-
      {LITERAL}
    max_tokens: 5
  c: {{model: m, api_key: "${{NONE:-{LITERAL}}}"}}
env: {{URL: "https://me:{VARIABLE}@host:5432/x", PRICE: "$5 $HOME", PAD: "x{LITERAL}y"}}
free:
  auth_token: hide-me
  API_KEY: hide-me
  nested: [{{Authorization: hide-me, max_tokens: 5, tokens: show-me, passwordless: show-me}}]
"""


def test_a_dump_is_the_effective_config_with_masks(loads, root_model):
    loaded = loads(GOOD, ENV)
    shown = dump(loaded)
    for hidden in (LITERAL, VARIABLE, "pw12345", "hide-me"):
        assert hidden not in shown
    assert "PRICE: $5 $HOME\n" in shown
    assert shown.count("show-me") == 2
    assert "http://u:***@host/v1?k=" in shown
    assert "max_tokens: 4096" in shown
    assert "max_tokens: 4096" not in dump(loaded, defaults=False)
    assert "temperature" not in dump(loaded, defaults=False)


def test_what_a_loaded_config_prints_holds_no_secret(loads, caplog):
    loaded = loads(GOOD, ENV)
    logging.getLogger("x").warning("loaded %s %r", loaded, loaded.config, extra={"config": loaded})
    for shown in (
        repr(loaded), str(loaded), repr(loaded.config.llms), repr(loaded.marks), caplog.text,
        loaded.config.llms["a"].model_dump_json(include={"api_key", "headers"}), json.dumps(loaded.config.model_dump(mode="json")["llms"]["b"]),
    ):  # fmt: skip
        assert LITERAL not in shown.replace(f"PAD': 'x{LITERAL}", "")


def test_the_masked_text_keeps_everything_but_written_secrets(loads):
    masked = loads(GOOD, ENV).masked
    assert LITERAL not in masked.replace(f'PAD: "x{LITERAL}y"', "")
    assert masked.splitlines()[1] == '  api_key: "***"  # a comment'
    assert '    api_key: "***"\n    max_tokens: 5\n  c: {model: m, api_key: "***"}\n' in masked
    assert 'B: "${KEY}"' in masked
    assert 'A: "***"' in masked
    assert (
        loads("llms: {a: {model: m, api_key: '${KEY}'}}", ENV).masked
        == "llms: {a: {model: m, api_key: '${KEY}'}}"
    )


def test_a_dump_loads_again_when_nothing_was_masked(loads):
    text = (
        "version: 1.10\n"
        "llms: {a: {model: 'on', timeout: 1m}}\n"
        "env: {A: '1e3', B: '0o17', C: 'null', D: \"two\\nlines\", E: '', F: ' x', G: 'ä: #', H: '0755', I: '~'}\n"
        "tools: {t: {type: function, handler: h, schema: {a: [1, null, true, 1.5]}}}\n"
    )
    loaded = loads(text)
    assert loads(dump(loaded)).config == loaded.config
    assert loads(dump(loaded, defaults=False)).config == loaded.config


def test_a_masked_dump_is_refused_instead_of_losing_the_secret(loads, refused):
    shown = dump(loads("llms: {a: {model: m, api_key: real-key}}"))
    assert [line.split(": ", 2)[2] for line in refused(shown)] == [
        "this is the mask of a secret, not the secret"
    ]


def test_sections_are_immutable(loads):
    config = loads("llms: {a: {model: m}}").config
    with pytest.raises(ValueError, match="frozen"):
        config.llms["a"].model = "n"
    assert isinstance(config, BaseModel)

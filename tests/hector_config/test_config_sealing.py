"""Decisions: a stored revision keeps the text, and a keyed hash in the place of a literal secret."""

import re

from hector_config import sealed

KEY = b"k" * 32
TEXT = """\
# the key is sk-literal-1, do not tell
x-base: &base {model: m, api_key: sk-literal-1}
x-unused: {password: "qwerty-99"}
llms:
  a: {<<: *base}
  b: {model: m, api_key: '${KEY}', base_url: "http://u:hunter2000@host/v1?api_key=abcdef123"}
  c: {model: m, headers: {A: "Bearer ${KEY} literal", B: "${KEY:-sk-fallback}"}}
  d:
    model: m
    api_key: |
      sk-block-77
free: {token: tok-123456, tokens: 5, nested: [{secret: s3}]}
"""
SECRETS = (
    "sk-literal-1",
    "qwerty-99",
    "hunter2000",
    "abcdef123",
    'literal"',
    "sk-fallback",
    "sk-block-77",
    "tok-123456",
)


def test_no_literal_secret_is_left_anywhere(loads):
    found = sealed(loads(TEXT, {"KEY": "sk-environment"}), lambda: KEY)
    assert [secret for secret in (*SECRETS, "sk-environment") if secret in found.text] == []
    assert not found.applicable
    assert "# the key is hmac-sha256:" in found.text
    assert "api_key: '${KEY}'" in found.text
    assert "tokens: 5" in found.text
    assert found.text.count("\n") == TEXT.count("\n") - 1  # the block became a line
    assert re.search(
        r"base_url: \"http://u:hmac-sha256:\w{32}@host/v1\?api_key=hmac-sha256:\w{32}\"", found.text
    )


def test_the_masked_text_hides_the_same(loads):
    masked = loads(TEXT, {"KEY": "sk-environment"}).masked
    assert [secret for secret in SECRETS if secret in masked] == []
    assert "http://u:***@host/v1?api_key=***" in masked


def test_without_literal_secrets_the_text_is_kept_and_nobody_is_asked_for_a_key(loads):
    text = "# a comment\nllms: {a: {model: '${M:-m}', api_key: '${KEY}'}}\n"
    one = sealed(loads(text, {"KEY": "one"}), _no_key)
    other = sealed(loads(text, {"KEY": "other", "M": "x"}), _no_key)
    assert one == other
    assert (one.text, one.applicable, len(one.id)) == (text, True, 32)
    assert sealed(loads("env: {A: 2}"), _no_key).id != sealed(loads("env: {A: 1}"), _no_key).id


def test_another_secret_is_another_revision_and_the_same_one_the_same(loads):
    def seal(secret: str, key: bytes = KEY):
        return sealed(loads(f"llms: {{a: {{model: m, api_key: {secret}}}}}"), lambda: key)

    assert seal("one") == seal("one")
    assert seal("one").id != seal("two").id
    assert seal("one").text != seal("one", b"x" * 32).text


def test_what_a_variable_holds_changes_no_revision(loads):
    text = "llms: {a: {model: m, headers: {A: 'Bearer ${T} and more'}}}"
    assert sealed(loads(text, {"T": "1"}), lambda: KEY) == sealed(loads(text, {"T": "2"}), lambda: KEY)


def _no_key() -> bytes:
    raise AssertionError("no secret is written out")


def test_secrets_are_found_behind_any_line_end_and_any_letter(loads):
    text = (
        "# 💥 ä\r\nenv: {A: 'e\u2028\u0085x💥'}\r\nllms:\r\n"
        '  a: {model: m, api_key: "sk-é💥-1"}\r\n  b:\r\n    model: m\r\n    api_key: sk-plain-2\r\n'
    )
    found = sealed(loads(text), lambda: KEY).text
    assert "sk-" not in found
    assert found.startswith(
        "# 💥 ä\r\nenv: {A: 'e\u2028\u0085x💥'}\r\nllms:\r\n  a: {model: m, api_key: \"hmac-sha256:"
    )
    assert found.endswith('"}\r\n  b:\r\n    model: m\r\n    api_key: ' + found[-48:])
    assert loads(loads(text).masked.replace("***", "other")).config.llms["b"].api_key.reveal() == "other"

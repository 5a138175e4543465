"""Flags over the environment over a file."""

import click
import pytest
from support.command_line import nowhere

from hector_runtime.cli import hector
from hector_runtime.cli.serve import overrides_of
from hector_runtime.cli.settings import FlagRefused, indexed_anew, overridden
from hector_runtime.config import load_config


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder, with nobody at the default address."""
    return nowhere(tmp_path, monkeypatch)


def over(folder, text="{}", environment=None, **flags):
    path = folder / "hector.yaml"
    path.write_text(text)
    # As the options of the command itself would give them.
    words = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in flags.items()
    ]
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (environment or {}).items():
            patched.setenv(name, value)
        with hector.get_command(click.Context(hector), "serve").make_context("serve", words) as context:
            overrides = overrides_of(context.params)
    return overridden(load_config(path, {}).config, overrides)


def test_flags_win_over_the_file_and_the_rest_stays(folder):
    text = "server: {host: 127.0.0.2, port: 1, auth: {api_keys: [a-key]}, shutdown_timeout: 3s}\n"
    server = over(folder, text, port=7, auth_secret="s3cret").server
    assert (server.host, server.port, server.shutdown_timeout) == ("127.0.0.2", 7, 3.0)
    assert server.auth.secret is not None
    assert server.auth.secret.reveal() == "s3cret"
    assert len(server.auth.api_keys) == 1


def test_flags_win_over_the_environment_and_that_over_the_file(folder):
    text = "server: {host: 127.0.0.2}\n"
    assert over(folder, text, {"HECTOR_HOST": "127.0.0.3"}).server.host == "127.0.0.3"
    assert over(folder, text, {"HECTOR_HOST": "127.0.0.3"}, host="127.0.0.4").server.host == "127.0.0.4"
    assert over(folder, text, {"HECTOR_HOST": "", "HECTOR_AUTH_SECRET": ""}).server.host == "127.0.0.2"
    assert over(folder, text, {"HECTOR_AUTH_SECRET": "s3cret"}).server.auth.secret is not None


def test_an_explicit_zero_is_zero(folder):
    assert over(folder, port=0, grpc_port=0).server.port == 0


def test_a_tracing_endpoint_switches_tracing_on(folder):
    text = "observability: {tracing: {service_name: mine}}\n"
    tracing = over(folder, text, tracing_endpoint="collector:4317").observability.tracing
    assert (tracing.enabled, tracing.endpoint, tracing.service_name) == (True, "collector:4317", "mine")


def test_observing_counts_and_traces(folder):
    observed = over(folder, observe=True).observability
    assert (observed.metrics.enabled, observed.tracing.enabled) == (True, True)
    assert observed.tracing.endpoint == "localhost:4317"
    counted = over(folder, metrics=True, metrics_listen="127.0.0.1:9464").observability
    assert (counted.metrics.enabled, counted.tracing.enabled) == (True, False)
    assert counted.metrics.listen == "127.0.0.1:9464"


def test_what_is_kept_can_be_said_in_three_ways(folder):
    assert over(folder, ephemeral=True).storage.database == "inmemory"
    assert over(folder, storage="inmemory").storage.database == "inmemory"
    assert over(folder, storage="sqlite").storage.database.startswith("sqlite://")
    assert over(folder, storage="sqlite", storage_db="sqlite://x.db").storage.database.endswith("x.db")
    for flags in (
        {"ephemeral": True, "database": "sqlite://x.db"},
        {"storage": "postgres"},
        {"storage": "postgres", "database": "sqlite://x.db"},
    ):
        with pytest.raises(click.UsageError, match="--database"):
            over(folder, **flags)


def test_the_door_and_the_address_outside_can_be_set(folder):
    server = over(folder, auth_required=True, public_url="https://agents.example.com/").server
    assert (server.auth.enabled, server.public_url) == (True, "https://agents.example.com")
    assert over(folder, no_auth_required=True).server.auth.enabled is False
    assert over(folder, a2a_base_url="https://x.example.com").server.public_url == "https://x.example.com"


def test_indexing_anew_is_for_every_store(folder):
    text = "document_stores: {a: {}, b: {incremental_indexing: true}}\n"
    stores = indexed_anew(over(folder, text)).document_stores
    assert [store.incremental_indexing for store in stores.values()] == [False, False]


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("host", "a b", r"^--host: an address or a name"),
        ("auth_secret", "a b", r"^--auth-secret: a bearer credential"),
        ("database", "bad://x", r"^--database: .*no database of that kind.*sqlite://"),
        ("database", "postgre://u:very-secret@h/d", r"^--database: .*no database of that kind"),
    ],
)
def test_a_flag_that_cannot_be_is_named_with_what_could(folder, flag, value, told):
    with pytest.raises(FlagRefused, match=told) as refused:
        over(folder, **{flag: value})
    assert "very-secret" not in str(refused.value)

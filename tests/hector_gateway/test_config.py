"""The keys of `server:`, as files have them."""

from pathlib import Path

import pytest

from hector_config import ConfigInvalid, load
from hector_gateway.addresses import is_loopback
from hector_gateway.admin_secret import must_authenticate
from hector_gateway.config import GatewaySection


def loaded(tmp_path: Path, text: str) -> GatewaySection:
    file = tmp_path / "hector.yaml"
    file.write_text(text)
    return load(file, GatewaySection).config


def test_without_a_word_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    """Decisions, security defaults."""
    server = loaded(tmp_path, "server: {}").server
    assert (server.host, server.port, server.grpc_port) == ("127.0.0.1", 8080, 50051)
    assert not must_authenticate(server)
    assert server.auth.secret_file == tmp_path / ".hector/admin_secret.sha256"


# What is written, what is said.
WRONG = [
    ("port: 70000", "server.port"),
    ("port: -1", "server.port"),
    ('host: ""', "server.host: an address or a name is needed"),
    ("host: http://x", "server.host: an address"),
    ("public_url: agents.example.com", "server.public_url: a URL is needed"),
    ("request_timeout: 0", "server.request_timeout"),
    ("limits: {max_body_size: lots}", "server.limits.max_body_size"),
    ("prot: 80", "server.prot"),
    ("tls: {enabled: true}", "server.tls.cert_file: TLS needs cert_file, too"),
    ("tls: {cert_file: server.pem}", "server.tls.key_file: TLS needs key_file, too"),
    ("cors: {allowed_origins: [example.com]}", 'server.cors.allowed_origins[0]: "example.com" is no origin'),
    (
        'cors: {allowed_origins: ["*"], allow_credentials: true}',
        'server.cors.allow_credentials: allow_credentials with "*" would let every page act',
    ),
    ("limits: {max_headers: 2}", "server.limits.max_headers"),
    ("studio: {enabled: true}", "server.studio: known, but not available"),
    ("auth: {jwks_url: https://x}", "server.auth.jwks_url: known, but not available"),
    ("auth: {issuer: x, audience: y}", "server.auth.audience: known, but not available"),
    ('auth: {secret: ""}', "server.auth.secret: an empty credential would let everybody in"),
    ('auth: {secret: "q z"}', "server.auth.secret: a bearer credential"),
    ('auth: {api_keys: [""]}', "server.auth.api_keys[0]: an empty credential"),
    ("auth: {api_keys: [ü]}", "server.auth.api_keys[0]: a bearer credential"),
    ("auth: {api_keys: [{name: a}]}", "server.auth.api_keys[0]"),
    ("auth: {api_keys: [{name: admin, key: k}]}", "server.auth.api_keys[0].name"),
    ("auth: {api_keys: [qq7, {key: qq7}]}", "server.auth.api_keys[1]: the same key as in entry 0"),
    ("auth: {api_keys: [{name: a, key: k1}, {name: a, key: k2}]}", "the same name as entry 0"),
    ("auth: {secret: qq7, api_keys: [qq7]}", "the same as the admin secret"),
    ("auth: {api_keys: [{key: k, roles: [king]}]}", "server.auth.api_keys[0].roles[0]"),
    ("a2a: {errors: 0.3}", "server.a2a.errors"),
    ("a2a: {versions: []}", "server.a2a.versions"),
    ('a2a: {versions: ["1.0", "1.0"]}', "server.a2a.versions: a version is written twice"),
    ('a2a: {versions: ["1.1"]}', "server.a2a.versions[0]"),
    ('a2a: {versions: ["1.0"], card: "0.3"}', "server.a2a.card: A2A 0.3 is not among server.a2a.versions"),
    ("a2a: {extensions: [{uri: no uri}]}", "server.a2a.extensions[0].uri: a URI of ASCII characters"),
    ("a2a: {extensions: [{uri: 'x:a,b'}]}", "server.a2a.extensions[0].uri: a URI of ASCII characters"),
    ("a2a: {extensions: [{uri: 'x:ü'}]}", "server.a2a.extensions[0].uri: a URI of ASCII characters"),
    ("a2a: {input_modes: [picture]}", "server.a2a.input_modes[0]: a media type is needed"),
    ("a2a: {output_modes: ['*/png']}", "server.a2a.output_modes[0]: a media type is needed"),
    ("a2a: {extensions: [{uri: 'x:y'}, {uri: 'x:y'}]}", "the same extension as entry 0"),
    ("a2a: {provider: {name: Ours, url: ours.example}}", "server.a2a.provider.url: a URL is needed"),
    ("grpc_port: 8080", "server.grpc_port: 8080 is server.port already"),
    (
        "listeners: [{port: 8081, card: dual}, {port: 50051, card: dual}]",
        "server.listeners[1].port: 50051 is server.grpc_port already",
    ),
    (
        "listeners: [{port: 8081, card: dual}, {port: 8081, card: dual}]",
        "server.listeners[1].port: 8081 is server.listeners[0].port already",
    ),
    ("public_grpc: https://x", "server.public_grpc: an address with its port is needed"),
    ("public_grpc: agents.example.com", "server.public_grpc: an address with its port is needed"),
    (
        "a2a: {push: {retry_delay: 10m, max_delay: 1s}}",
        "server.a2a.push.max_delay: shorter than retry_delay, the first wait",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_said_at_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigInvalid) as error:
        loaded(tmp_path, f"server:\n  {text}\n")
    assert message in str(error.value)
    assert "hector.yaml:2:" in str(error.value)


def test_ports_that_the_machine_chooses_may_be_written_alike(tmp_path: Path) -> None:
    server = loaded(
        tmp_path, "server: {port: 0, grpc_port: 0, listeners: [{port: 0, card: dual}], public_grpc: 'h:443'}"
    ).server
    assert (server.port, server.grpc_port, server.listeners[0].port) == (0, 0, 0)


def test_no_error_and_no_dump_shows_a_credential(tmp_path: Path) -> None:
    text = "server: {auth: {secret: hunter2hunter2, api_keys: [hunter3, {key: hunter4, name: a}]}}"
    config = loaded(tmp_path, text)
    assert "hunter" not in f"{config!r} {config.model_dump()} {config.model_dump_json()}"
    with pytest.raises(ConfigInvalid) as error:
        loaded(tmp_path, text.replace("hunter3", "hunter4"))
    assert "hunter" not in str(error.value)


# Keys, whether callers must show a credential.
DOORS = [
    ("host: 127.0.0.1", False),
    ("host: localhost", False),
    ('host: "::1"', False),
    ("host: 0.0.0.0", True),
    ('host: "::"', True),
    ("host: box.example", True),
    ("host: 0.0.0.0\n  auth: {enabled: false}", False),
    ("host: 0.0.0.0\n  auth: {enabled: false, api_keys: [k]}", False),
    ("auth: {enabled: true}", True),
    ("auth: {secret: s}", True),
    ("auth: {api_keys: [k]}", True),
    ("auth: {api_keys: []}", False),
]


@pytest.mark.parametrize(("text", "locked"), DOORS)
def test_who_must_show_a_credential(tmp_path: Path, text: str, locked: bool) -> None:
    """Decisions: always beyond loopback, and wherever credentials are configured; off on purpose only."""
    assert must_authenticate(loaded(tmp_path, f"server:\n  {text}\n").server) is locked


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_which_hosts_mean_this_machine(host: str, local: bool) -> None:
    assert is_loopback(host) is local

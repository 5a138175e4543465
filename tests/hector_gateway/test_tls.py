"""TLS from `server.tls`: clients that trust the authority get in, and bad files stop the start."""

import asyncio
import contextlib
import socket
import ssl

import aiohttp
import grpc
import grpc.aio
import pytest
from support.certificates import Authority

from hector.agent.v1 import AgentServiceStub, ListAgentsRequest
from hector_gateway import tls as tls_module
from hector_gateway.tls import TLS, TLSUnusable
from hector_gateway.tls_config import TLSConfig


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def config(pair):
    return TLSConfig(cert_file=pair.cert_file, key_file=pair.key_file)


def secure(gateway):
    return gateway.url.replace("http://", "https://").replace("127.0.0.1", "localhost")


async def test_both_ports_speak_tls_to_who_trusts_the_authority(start_gateway, authority):
    pair = authority.issue()
    files = {"cert_file": pair.cert_file, "key_file": pair.key_file}
    gateway = await start_gateway(tls=files)
    trusting = ssl.create_default_context(cafile=str(authority.file))
    async with gateway.http.get(secure(gateway) + "/health", ssl=trusting) as answer:
        assert answer.status == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
    async with gateway.http.get(secure(gateway) + "/agents/helper", ssl=trusting) as answer:
        card = await answer.json()
    assert "https://127.0.0.1:" in str(card)
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    async with grpc.aio.secure_channel(
        gateway.grpc_address.replace("127.0.0.1", "localhost"), credentials
    ) as channel:
        found = await AgentServiceStub(channel).ListAgents(ListAgentsRequest(), timeout=5)
        assert found.agents
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await gateway.http.get(secure(gateway) + "/health")
    with pytest.raises(aiohttp.ClientError):
        await gateway.http.get(gateway.url + "/health")


async def test_a_renewed_certificate_is_taken_into_use_without_a_restart(start_gateway, authority):
    pair = authority.issue("renewed")
    tls = TLS(config(pair))
    first = serial(tls, authority)
    authority.issue("renewed")
    tls.look()
    assert serial(tls, authority) != first
    second = serial(tls, authority)
    pair.cert_file.write_text("nonsense")
    tls.look()
    assert serial(tls, authority) == second


def test_files_that_go_while_they_are_looked_at_are_looked_at_again(authority, monkeypatch):
    pair = authority.issue("swapped")
    tls = TLS(config(pair))
    first = serial(tls, authority)
    authority.issue("swapped")
    make = tls_module._context

    def make_while_it_goes(cert_file, *rest):
        text = cert_file.read_bytes()
        cert_file.unlink()
        try:
            return make(cert_file, *rest)
        finally:
            cert_file.write_bytes(text)

    monkeypatch.setattr(tls_module, "_context", make_while_it_goes)
    tls.look()
    assert serial(tls, authority) == first
    monkeypatch.undo()
    tls.look()
    assert serial(tls, authority) != first


async def test_clients_of_both_ports_see_the_renewed_certificate(start_gateway, authority, monkeypatch):
    monkeypatch.setattr(tls_module, "LOOK_S", 0.02)
    pair = authority.issue("rotated")
    gateway = await start_gateway(tls={"cert_file": pair.cert_file, "key_file": pair.key_file})
    places = [gateway.url.removeprefix("http://"), gateway.grpc_address]

    async def shown():
        return [await asyncio.to_thread(certificate_at, place, authority) for place in places]

    before = pair.cert_file.read_text()
    assert await shown() == [before, before]
    authority.issue("rotated")
    after = pair.cert_file.read_text()
    assert after != before
    async with asyncio.timeout(10):
        while await shown() != [after, after]:
            pass


def certificate_at(place, authority):
    host, _, port = place.rpartition(":")
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True))


def test_a_certificate_that_expires_soon_is_told_of_once_a_day(authority, caplog, monkeypatch):
    tls = TLS(config(authority.issue("soon", days=(-1, 3))))
    tls._remind()
    told = [record for record in caplog.records if record.getMessage() == "certificate expires soon"]
    assert [record.days for record in told] == [pytest.approx(3, abs=0.1)]
    monkeypatch.setattr(tls_module, "REMIND_S", 0.0)
    tls._remind()
    assert len(caplog.records) == 2


def serial(tls, authority):
    client = ssl.create_default_context(cafile=str(authority.file))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    guest = client.wrap_bio(back, there, server_hostname="localhost")
    host = tls.context.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (guest, host):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return guest.getpeercert()["serialNumber"]


def bad(authority, kind):
    pair = authority.issue(kind.replace(" ", "-"))
    if kind == "expired":
        return authority.issue("expired", days=(-30, -1))
    if kind == "from tomorrow":
        return authority.issue("from-tomorrow", days=(1, 30))
    if kind == "for clients":
        return authority.issue("for-clients", for_clients=True)
    if kind == "with a password":
        return authority.issue("with-a-password", password="secret")
    if kind == "of another":
        authority.issue("other")
        pair.key_file.write_bytes((pair.key_file.parent / "other.key").read_bytes())
    if kind == "gone":
        pair.key_file.unlink()
    if kind == "a folder":
        pair.cert_file.unlink()
        pair.cert_file.mkdir()
    if kind == "interchanged":
        text = pair.cert_file.read_bytes()
        pair.cert_file.write_bytes(pair.key_file.read_bytes())
        pair.key_file.write_bytes(text)
    if kind == "garbled":
        text = pair.cert_file.read_text()
        pair.cert_file.write_text(text[:80] + "!!!!" + text[90:])
    return pair


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "expired.pem would be refused by every client: certificate has expired; put in one that"),
        ("from tomorrow", "certificate is not yet valid; put in one that is valid today"),
        ("for clients", "would be refused by every client: .*purpose"),
        ("with a password", "with-a-password.key is protected by a password.*openssl pkey -in"),
        ("of another", "of-another.key is not the key of the certificate in .*; put in the pair"),
        ("gone", "server.tls.key_file: .*gone.key cannot be read: no such file"),
        ("a folder", "server.tls.cert_file: .* cannot be read: is a directory"),
        ("interchanged", "server.tls.cert_file: .* holds no certificate in PEM form.*interchanged"),
        ("garbled", "cannot be used: .*; check them with `openssl x509"),
    ],
)
def test_files_of_no_use_stop_the_start_and_say_what_to_do(authority, kind, words):
    with pytest.raises(TLSUnusable, match=words):
        TLS(config(bad(authority, kind)))


def test_a_key_that_may_not_be_read_is_named(authority, monkeypatch):
    pair = authority.issue("unreadable")

    def refused(path):  # root may read everything
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(pair.key_file), "read_bytes", refused)
    with pytest.raises(TLSUnusable, match=r"unreadable.pem cannot be read: permission denied; name a file"):
        TLS(config(pair))


async def test_who_speaks_plain_text_to_a_tls_port_is_not_left_hanging(start_gateway, authority):
    pair = authority.issue("plain")
    gateway = await start_gateway(tls={"cert_file": pair.cert_file, "key_file": pair.key_file})
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            await reader.read()
    writer.close()

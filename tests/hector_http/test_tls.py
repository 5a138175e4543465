"""Whose certificates are believed."""

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.scripted_server import scripted, whole

from hector_http import NO_RETRIES, CertificatesUnusable, HttpClient, Request, Tls, Unreachable, Untrusted

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that only itself vouches for, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


async def get(certificate: Path, tls: Tls | None) -> bytes:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with (
        scripted(whole("hello"), tls=context) as server,
        HttpClient(trusted=[server.url], tls=tls) as http,
        http.send(Request("GET", server.url, retries=NO_RETRIES)) as response,
    ):
        return await response.read()


async def test_a_certificate_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with pytest.raises(Untrusted, match="is not trusted: self-signed certificate"):
        await get(certificate, None)


async def test_a_file_of_authorities_is_believed(certificate: Path) -> None:
    assert await get(certificate, Tls(ca_file=certificate)) == b"hello"


async def test_not_checking_takes_explicit_words(certificate: Path) -> None:
    assert await get(certificate, Tls(verify=False)) == b"hello"


@pytest.mark.parametrize("content", [None, "no certificate in here"])
async def test_an_unusable_file_of_authorities_is_named(
    certificate: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CertificatesUnusable, match=r"ca\.pem.*--ca-certificate"):
        await get(certificate, Tls(ca_file=file))


async def test_requests_share_a_connection(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with (
        scripted(whole("hello"), tls=context) as server,
        HttpClient(trusted=[server.url], tls=Tls(ca_file=certificate)) as http,
    ):
        for _ in range(3):
            async with http.send(Request("POST", server.url, body=b"x" * 200_000)) as response:
                assert await response.read() == b"hello"
        assert server.connections == 1


async def test_a_server_that_speaks_no_tls_is_said() -> None:
    async def refuses(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuses, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with HttpClient(trusted=[url], tls=Tls()) as http:
            with pytest.raises(Unreachable, match="it does not speak TLS as we do"):
                async with http.send(Request("GET", url, retries=NO_RETRIES)):
                    pass

"""Ours: `hector validate` names what `hector serve` would not start with, all of it at once."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from hector_config import ConfigInvalid
from hector_runtime.config import load_config
from hector_runtime.startable import check_start


def problems_of(folder: Path, text: str) -> list[str]:
    file = folder / "hector.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        check_start(load_config(file))
    except ConfigInvalid as error:
        return [str(problem) for problem in error.problems]
    return []


def keep(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, file: Path) -> None:
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def test_keys_that_cannot_sign_are_named_with_their_lines(tmp_path: Path) -> None:
    keep(rsa.generate_private_key(65537, 2048), tmp_path / "rsa.pem")
    keep(ed25519.Ed25519PrivateKey.generate(), tmp_path / "good.pem")
    text = """server:
  a2a:
    signing:
      - {key_file: good.pem, key_id: a}
      - {key_file: none.pem, key_id: b}
      - {key_file: rsa.pem, key_id: c}
      - {key_file: good.pem, key_id: d, algorithm: ES256}
"""
    found = problems_of(tmp_path, text)
    assert [one.partition(": ")[0].split(":")[1] for one in found] == ["5", "6", "7"]
    assert [f"server.a2a.signing[{at}].key_file" in one for at, one in zip((1, 2, 3), found, strict=True)]
    assert "none.pem cannot be read" in found[0]

"""What is wrong with a body that is no JSON, and where: for those who have to find it."""

import orjson

PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How bodies begin that are compressed: nobody may send such, for a small one can become any size."""


def why_not_json(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Return why a body could not be read."""
    if packed := next((name for start, name in PACKED.items() if body.startswith(start)), ""):
        return f"the request is not JSON: it is compressed ({packed}); send it as it is"
    try:
        body.decode()
    except UnicodeDecodeError as wrong:  # of this the reader of JSON does not know where it stands
        return f"the request is not JSON: byte {wrong.start} (0x{body[wrong.start]:02x}) is not UTF-8"
    return f"the request is not JSON: {error}"

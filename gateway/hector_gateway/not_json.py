"""What is wrong with a body that is no JSON, and where: for those who have to find it."""

import orjson


def why_not_json(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Return why a body could not be read."""
    try:
        body.decode()
    except UnicodeDecodeError as wrong:  # of this the reader of JSON does not know where it stands
        return f"the request is not JSON: byte {wrong.start} (0x{body[wrong.start]:02x}) is not UTF-8"
    return f"the request is not JSON: {error}"

"""Keeps what a tool says to a model within its size."""


def size_of(text: str) -> int:
    """Return the bytes that a text takes."""
    return len(text.encode("utf-8", "surrogatepass"))


def capped(text: str, limit_bytes: int, rest: str) -> str:
    """Return a text of at most `limit_bytes`, plus a line that says that it was cut.

    Args:
        text: What the tool has to say.
        limit_bytes: How much of it may be said.
        rest: How to get the rest, as an instruction to the model.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit_bytes:
        return text
    head = encoded[:limit_bytes].decode("utf-8", "ignore")
    return f"{head}\n[Cut here: {len(encoded):,} bytes are more than the limit of {limit_bytes:,}. {rest}]"

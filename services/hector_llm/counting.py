"""How many tokens a conversation costs to read: an estimate that learns from what providers report."""

from collections.abc import Iterable, Sequence

from hector.common.v1 import Message, Tool

BYTES_PER_TOKEN = 4.0
_MESSAGE_BYTES = 16
"""What the frame around each message costs, in bytes of text."""
_BLOB_BYTES = 3400
"""A picture of usual size costs about this much text."""


def conversation_bytes(prompt: str, messages: Sequence[Message], tools: Iterable[Tool]) -> int:
    """Return about how many bytes of text a model has to read."""
    size = len(prompt.encode()) + _MESSAGE_BYTES if not messages else 0
    for message in messages:
        # Pictures by their price instead of their size; the rest is text with a few bytes of framing.
        blobs = sum(len(part.blob.data) for part in message.parts if part.HasField("blob"))
        pictures = sum(1 for part in message.parts if part.HasField("blob"))
        size += message.ByteSize() - blobs + pictures * _BLOB_BYTES + _MESSAGE_BYTES
    for tool in tools:
        size += len(tool.name) + len(tool.description.encode()) + len(tool.parameters_json.encode())
    return size


class TokenEstimate:
    """A token for every four bytes, corrected per model by the counts that its provider reported."""

    def __init__(self) -> None:
        self._bytes_per_token: dict[str, float] = {}

    def tokens(self, model: str, size_bytes: int) -> int:
        return max(1, round(size_bytes / self._bytes_per_token.get(model, BYTES_PER_TOKEN)))

    def learn(self, model: str, size_bytes: int, prompt_tokens: int) -> None:
        """Take a reported count into account; the newest weighs a fifth."""
        if prompt_tokens <= 0 or size_bytes <= 0:
            return
        seen = min(16.0, max(0.5, size_bytes / prompt_tokens))
        known = self._bytes_per_token.get(model)
        if known is None:
            if len(self._bytes_per_token) >= 64:
                self._bytes_per_token.clear()  # names come from callers
            self._bytes_per_token[model] = seen
        else:
            self._bytes_per_token[model] = known + (seen - known) / 5

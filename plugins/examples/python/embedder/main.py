"""An embedder without a model: eight numbers from a text's SHA-256."""

import hashlib
import math
import struct
from collections.abc import Sequence

from hector_plugin import embedder, serve


@embedder(
    model="hash",
    dimensions=8,
    max_batch=128,
    normalized=True,
    fingerprint="sha256-8",
    tokens=lambda text: len(text.split()),
)
def vectors(texts: Sequence[str]) -> list[list[float]]:
    return [vector(text) for text in texts]


def vector(text: str) -> list[float]:
    numbers = struct.unpack(">8I", hashlib.sha256(text.encode()).digest())
    centred = [number / 2**32 - 0.5 for number in numbers]
    length = math.hypot(*centred)
    return [number / length for number in centred]


if __name__ == "__main__":
    serve(name="example-embedder", version="1.0.0")

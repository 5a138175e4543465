"""EM: embedders."""

import math
import struct

from grpc import StatusCode

from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedderProviderStub,
    Embedding,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
)
from hector.plugin.v1 import PLUGIN_KIND_EMBEDDER_PROVIDER as EMBEDDER
from hector_plugin.conformance.checks import MUST, Broken, NotApplicable, check
from hector_plugin.conformance.stage import Stage

TEXTS = [
    "the cat sat on the mat",
    "an invoice of last year",
    "日本語",
    "the cat sat on the mat",
    "\U0001f680 up",
]


@check(
    "EM1",
    MUST,
    "vectors are as long as it says",
    kind=EMBEDDER,
    rule="GetDimensions says how many floats a vector has, and every vector has so many, none of them NaN",
    mend="answer GetDimensions with the length of the vectors that you return",
)
async def as_long_as_it_says(stage: Stage) -> None:
    about = await _about(stage)
    if not about.dimensions:
        raise Broken("dimensions is 0", "GetDimensions {}")
    for text in TEXTS:
        vector = await _vector(stage, text)
        if len(vector) != about.dimensions:
            raise Broken(f"{len(vector)} floats, and not {about.dimensions}")
        if not all(map(math.isfinite, vector)):
            raise Broken("a float is NaN or infinite")


@check(
    "EM2",
    MUST,
    "a batch is its texts, in their order",
    kind=EMBEDDER,
    rule="EmbedBatch returns as many vectors as texts, in the same order; each is that of EmbedText (cosine "
    "> 0.9999)",
    mend="keep the order when you sort texts by length or send them in parallel",
)
async def batch(stage: Stage) -> None:
    plugin = await stage.shared()
    answer = await plugin.call(EmbedderProviderStub, "EmbedBatch", EmbedBatchRequest(texts=TEXTS))
    if answer.error:
        raise Broken(f"error: {answer.error}")
    if len(answer.embeddings) != len(TEXTS):
        raise Broken(f"{len(answer.embeddings)} vectors for {len(TEXTS)} texts")
    singles = [await _vector(stage, text) for text in TEXTS]
    for place, found in enumerate(answer.embeddings):
        alike = cosine(floats(found), singles[place])
        if alike <= 0.9999:
            best = max(range(len(TEXTS)), key=lambda other: cosine(floats(found), singles[other]))
            raise Broken(
                f"embeddings[{place}] and EmbedText have cosine {alike:.4f}; it is nearest to texts[{best}]",
                "EmbedBatch, and EmbedText of each text",
            )


@check(
    "EM3",
    MUST,
    "normalized vectors have length one",
    kind=EMBEDDER,
    rule="where GetDimensions says `normalized`, the length of every vector is one",
    mend="divide by the length, or do not say so",
)
async def normalized(stage: Stage) -> None:
    if not (await _about(stage)).normalized:
        raise NotApplicable("it does not say that vectors are normalized")
    for text in TEXTS:
        length = math.sqrt(sum(x * x for x in await _vector(stage, text)))
        if abs(length - 1) > 1e-3:
            raise Broken(f"length {length:.4f}")


@check(
    "EM4",
    MUST,
    "the same text has the same vector",
    kind=EMBEDDER,
    rule="while the fingerprint stays, a text has one vector (cosine > 0.9999)",
    mend="take randomness out, or change the fingerprint when the model changes",
)
async def same_vector(stage: Stage) -> None:
    first, again = [await _about(stage) for _ in range(2)]
    if first.fingerprint != again.fingerprint:
        raise Broken(
            f"fingerprint {first.fingerprint!r}, then {again.fingerprint!r}", "GetDimensions {} twice"
        )
    one, other = [await _vector(stage, TEXTS[0]) for _ in range(2)]
    if cosine(one, other) <= 0.9999:
        raise Broken(f"cosine {cosine(one, other):.4f}", "EmbedText twice")


@check(
    "EM5",
    MUST,
    "one form of a vector says what the other says",
    kind=EMBEDDER,
    rule="a vector comes as `vector` or as `vector_f32` (little-endian float32), and where both are set they "
    "are equal",
    mend="fill one of them; vector_f32 costs less",
)
async def both_forms(stage: Stage) -> None:
    plugin = await stage.shared()
    answer = await plugin.call(EmbedderProviderStub, "EmbedText", EmbedTextRequest(text=TEXTS[0]))
    if len(answer.vector_f32) % 4:
        raise Broken(f"vector_f32 has {len(answer.vector_f32)} bytes")
    if answer.vector and answer.vector_f32 and cosine(list(answer.vector), floats(answer)) <= 0.9999:
        raise Broken("vector and vector_f32 differ")
    if not answer.vector and not answer.vector_f32:
        raise Broken("neither vector nor vector_f32")


@check(
    "EM6",
    MUST,
    "texts that are empty or long do no harm",
    kind=EMBEDDER,
    rule="an empty text and one of 100 kB get a vector or are INVALID_ARGUMENT, and so is an empty batch",
    mend="check the length first; cut what is too long and say `truncated`, or refuse it",
)
async def empty_and_long(stage: Stage) -> None:
    plugin = await stage.shared()
    for text in ("", " \n", "x" * 100_000, "word " * 20_000, "\x00"):
        found = await plugin.answer(EmbedderProviderStub, "EmbedText", EmbedTextRequest(text=text))
        plugin.sent = f"EmbedText with {len(text):,} characters"
        if found.code is StatusCode.OK and not found.response.error:
            if not floats(found.response):
                raise Broken("OK without a vector")
        elif found.code not in (StatusCode.OK, StatusCode.INVALID_ARGUMENT):
            raise Broken(str(found))
    none = await plugin.answer(EmbedderProviderStub, "EmbedBatch", EmbedBatchRequest())
    if none.code is not StatusCode.OK and none.code is not StatusCode.INVALID_ARGUMENT:
        raise Broken(str(none))
    await plugin.still_lives("texts that are empty or long")


@check(
    "EM7",
    MUST,
    "it keeps to its max_batch",
    kind=EMBEDDER,
    rule="a batch of max_batch texts is served, one of more is INVALID_ARGUMENT",
    mend="refuse what is more than you say that you take",
)
async def max_batch(stage: Stage) -> None:
    most = (await _about(stage)).max_batch
    if not most:
        raise NotApplicable("it says no max_batch")
    plugin = await stage.shared()
    full = EmbedBatchRequest(texts=[f"text {number}" for number in range(most)])
    found = await plugin.answer(EmbedderProviderStub, "EmbedBatch", full)
    if found.code is not StatusCode.OK or len(found.response.embeddings) != most:
        raise Broken(str(found), f"EmbedBatch of {most} texts")
    full.texts.append("one more")
    found = await plugin.answer(EmbedderProviderStub, "EmbedBatch", full)
    if found.code is not StatusCode.INVALID_ARGUMENT:
        raise Broken(str(found), f"EmbedBatch of {most + 1} texts")


def floats(found: EmbedTextResponse | Embedding) -> list[float]:
    """Return a vector, whatever form it came in."""
    packed = found.vector_f32
    whole = len(packed) // 4
    return list(struct.unpack(f"<{whole}f", packed[: 4 * whole])) if packed else list(found.vector)


def cosine(one: list[float], other: list[float]) -> float:
    """Return how alike two vectors are; -1 if they cannot be compared."""
    lengths = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    if len(one) != len(other) or not lengths:
        return -1.0
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths


async def _about(stage: Stage) -> GetDimensionsResponse:
    plugin = await stage.shared()
    about: GetDimensionsResponse = await plugin.call(
        EmbedderProviderStub, "GetDimensions", GetDimensionsRequest()
    )
    return about


async def _vector(stage: Stage, text: str) -> list[float]:
    plugin = await stage.shared()
    answer = await plugin.call(EmbedderProviderStub, "EmbedText", EmbedTextRequest(text=text))
    if answer.error:
        raise Broken(f"error: {answer.error}")
    return floats(answer)

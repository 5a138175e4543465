"""Finds passages in several stores at once, by meaning and by words, and puts them in one order."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.common.v1 import Filter
from hector.document.v1 import Passage, SearchMode, StoreFailure
from hector.vector.v1 import VectorResult
from hector_document.config import SearchConfig
from hector_document.passages import passage_of
from hector_document.providers import Embedder, Vectors
from hector_mesh import HectorError, info_of

_MODES = {
    "vector": SearchMode.SEARCH_MODE_VECTOR,
    "keyword": SearchMode.SEARCH_MODE_KEYWORD,
    "hybrid": SearchMode.SEARCH_MODE_HYBRID,
}
_CUSHION = 10
"""Of reciprocal rank fusion: how little the first places are ahead of the next. The usual 60 is for long
lists; here 10 put the right passage first more often (mean reciprocal rank 0.67, not 0.65)."""
_DEPTH, _DEPTH_TIMES = 50, 4

Answer = TypeVar("Answer")
Key = tuple[str, str]
"""A store and a record in it."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A store that can be searched."""

    name: str
    config: SearchConfig
    embedder: Embedder
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for, and what holds in place of what the stores are configured for."""

    text: str
    limit: int = 0
    threshold: float | None = None
    mode: SearchMode.ValueType = SearchMode.SEARCH_MODE_UNSPECIFIED
    condition: Filter | None = None

    def mode_for(self, store: Searched) -> SearchMode.ValueType:
        return self.mode or _MODES[store.config.mode]

    def threshold_for(self, store: Searched) -> float:
        return store.config.threshold if self.threshold is None else self.threshold


@dataclass(slots=True)
class Hits:
    """What one store found, and what went wrong there."""

    store: Searched
    near: Sequence[VectorResult] = ()
    worded: Sequence[VectorResult] = ()
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a provider did not answer."""

    code: StatusCode
    why: str


async def search(question: Question, stores: Sequence[Searched]) -> tuple[list[Passage], list[StoreFailure]]:
    """Return passages, best first, and the stores that could not be searched.

    By vector alone a score is a nearness in [-1, 1], by words alone it is BM25; with both, or several
    embedders, it is a fused rank in (0, 1], where 1 is first in everything.
    """
    limit = question.limit or max((store.config.top_k for store in stores), default=0)
    depth = max(_DEPTH, _DEPTH_TIMES * limit)
    by_meaning = {
        store.embedder.name: store.embedder
        for store in stores
        if question.mode_for(store) != SearchMode.SEARCH_MODE_KEYWORD
    }
    asked = await asyncio.gather(
        *(_tried(embedder.of_query(question.text)) for embedder in by_meaning.values())
    )
    vectors = dict(zip(by_meaning, asked, strict=True))
    found = await asyncio.gather(*(_in_store(question, store, vectors, depth) for store in stores))
    scores = _scored(question, found)
    records = {
        (hits.store.name, record.id): record for hits in found for record in (*hits.near, *hits.worded)
    }
    least = {store.name: question.threshold_for(store) for store in stores}
    passages = [passage_of(key[0], records[key], score) for key, score in scores if score >= least[key[0]]]
    failures = [
        StoreFailure(document_store=hits.store.name, error=error) for hits in found for error in hits.failures
    ]
    return passages[:limit], failures


async def _in_store(
    question: Question, store: Searched, vectors: Mapping[str, bytes | Failure], depth: int
) -> Hits:
    hits, mode = Hits(store), question.mode_for(store)
    is_away = False
    if mode != SearchMode.SEARCH_MODE_KEYWORD:
        vector = vectors[store.embedder.name]
        if isinstance(vector, Failure):
            hits.failures.append(f"not searched by meaning, embedder {store.embedder.name!r}: {vector.why}")
        else:
            least = question.threshold_for(store) if mode == SearchMode.SEARCH_MODE_VECTOR else 0.0
            near = await _tried(store.vectors.near(vector, depth, least, question.condition))
            if isinstance(near, Failure):
                is_away = True
                hits.failures.append(near.why)
            else:
                hits.near = near
    if mode != SearchMode.SEARCH_MODE_VECTOR and not is_away:
        worded = await _tried(store.vectors.worded(question.text, depth, question.condition))
        if not isinstance(worded, Failure):
            hits.worded = worded
        elif mode == SearchMode.SEARCH_MODE_KEYWORD or worded.code != StatusCode.UNIMPLEMENTED:
            hits.failures.append(worded.why)
    return hits


async def _tried(work: Coroutine[None, None, Answer]) -> Answer | Failure:
    try:
        return await work
    except AioRpcError as error:
        why = error.details() or error.code().name
        is_new = info_of(error).reason == "COLLECTION_NOT_FOUND"
        return Failure(error.code(), f"nothing is indexed there yet ({why})" if is_new else why)
    except HectorError as error:
        return Failure(error.code, str(error))


def _scored(question: Question, found: Sequence[Hits]) -> list[tuple[Key, float]]:
    """Return records with scores, best first."""
    rankings: dict[str, list[tuple[Key, float]]] = {}
    weights: dict[str, float] = {}
    for hits in found:
        name, alpha = hits.store.name, _alpha(hits.store)
        # Scores of one embedder are measured alike in every store, and so are scores of words.
        for ranking, results, weight in (
            (f"near {hits.store.embedder.name}", hits.near, alpha),
            ("worded", hits.worded, 1.0 - alpha),
        ):
            rankings.setdefault(ranking, []).extend(((name, each.id), each.score) for each in results)
            weights[ranking] = max(weight, weights.get(ranking, 0.0))
    rankings = {name: sorted(ranking, key=_by_score) for name, ranking in rankings.items() if ranking}
    is_hybrid = any(question.mode_for(hits.store) == SearchMode.SEARCH_MODE_HYBRID for hits in found)
    if len(rankings) == 1 and not is_hybrid:
        return next(iter(rankings.values()))
    fused: dict[Key, float] = {}
    for source, ordered in rankings.items():
        for place, (key, _) in enumerate(ordered):
            share = weights[source] * (_CUSHION + 1) / (_CUSHION + 1 + place)
            fused[key] = fused.get(key, 0.0) + share
    return sorted(fused.items(), key=_by_score)


def _alpha(store: Searched) -> float:
    if store.config.hybrid_alpha is not None:
        return store.config.hybrid_alpha
    return 0.25 if store.embedder.is_lexical else 0.5


def _by_score(scored: tuple[Key, float]) -> tuple[float, Key]:
    return -scored[1], scored[0]

"""Which engine to embed: build, reopen, search, memory and disk of each, every run in a process of its own.

    python bench/vector.py                     1k, 10k, 100k vectors of 384 and 512 floats
    python bench/vector.py --sizes 1000,10000 --dimensions 512 --engines hector

`hector` is the store that ships. qdrant-edge and usearch are compared if they are installed; usearch keeps
neither text nor metadata, so it has no figures for filters and words.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Protocol

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the store does
import numpy as np

BATCH = 500
SECONDS = 3.0
WORDS = ["".join(letters) for letters in product("bcdfglmnprst", "aeiou", "klmnrstv", "aeiou", "bdgmnprst")]
COLUMNS = (
    ("build_s", "build s"),
    ("reopen_ms", "reopen + first search ms"),
    ("qps", "vector /s"),
    ("p50_ms", "p50 ms"),
    ("filter_qps", "filtered /s"),
    ("words_qps", "words /s"),
    ("rss_mb", "RSS MB"),
    ("disk_mb", "disk MB"),
)


class Engine(Protocol):
    def put(self, first: int, vectors: np.ndarray, texts: list[str]) -> None: ...
    def finish(self) -> None: ...
    def near(self, vector: np.ndarray) -> Any: ...
    def near_where(self, vector: np.ndarray, group: int) -> Any: ...
    def words(self, text: str) -> Any: ...


class Hector:
    def __init__(self, folder: Path, dimension: int) -> None:
        from hector.vector.v1 import Metric
        from hector_vector.checks import title_of
        from hector_vector.file import VectorFile

        self.file = VectorFile(folder / "vectors.db", title_of)
        self.file.create("c", dimension, Metric.METRIC_COSINE)

    def put(self, first: int, vectors: np.ndarray, texts: list[str]) -> None:
        from hector_vector.file import Row

        rows = [
            Row(f"d{first + n}:chunk:0", vector.tobytes(), text, json.dumps({"group": (first + n) % 10}))
            for n, (vector, text) in enumerate(zip(vectors, texts, strict=True))
        ]
        self.file.upsert("c", rows)

    def finish(self) -> None:
        self.file.close()

    def near(self, vector: np.ndarray) -> Any:
        return self.file.read("c", self.file.near("c", vector, 10, None), False)

    def near_where(self, vector: np.ndarray, group: int) -> Any:
        from hector.common.v1 import Filter, Value

        compare = Filter.Compare(field="group", op=Filter.Compare.OP_EQ, values=[Value(int_value=group)])
        return self.file.read("c", self.file.near("c", vector, 10, Filter(compare=compare)), False)

    def words(self, text: str) -> Any:
        return self.file.read("c", self.file.worded("c", text, 10, None), False)


class Qdrant:
    def __init__(self, folder: Path, dimension: int) -> None:
        import qdrant_edge as q

        self.q, path = q, str(folder / "shard")
        Path(path).mkdir(exist_ok=True)
        if any(Path(path).iterdir()):
            self.shard = q.EdgeShard.load(path)
        else:
            config = q.EdgeConfig(
                vectors=q.EdgeVectorParams(size=dimension, distance=q.Distance.Cosine),
                sparse_vectors={"words": q.EdgeSparseVectorParams(modifier=q.Modifier.Idf)},
            )
            self.shard = q.EdgeShard.create(path, config)
            self.shard.update(q.UpdateOperation.create_field_index("group", q.PayloadSchemaType.Integer))
        self.bm25 = q.Bm25(q.Bm25Config())

    def put(self, first: int, vectors: np.ndarray, texts: list[str]) -> None:
        q = self.q
        points = [
            q.Point(
                first + n,
                {"": vector.tolist(), "words": self.bm25.embed_document(text)},
                {"group": (first + n) % 10, "content": text, "id": f"d{first + n}:chunk:0"},
            )
            for n, (vector, text) in enumerate(zip(vectors, texts, strict=True))
        ]
        self.shard.update(q.UpdateOperation.upsert_points(points))

    def finish(self) -> None:
        self.shard.flush()
        self.shard.optimize()
        self.shard.close()

    def near(self, vector: np.ndarray) -> Any:
        return self._search(self.q.Query.Nearest(vector.tolist()), None)

    def near_where(self, vector: np.ndarray, group: int) -> Any:
        q = self.q
        only = q.Filter(must=[q.FieldCondition(key="group", match=q.MatchValue(value=group))])
        return self._search(q.Query.Nearest(vector.tolist()), only)

    def words(self, text: str) -> Any:
        return self._search(self.q.Query.Nearest(self.bm25.embed_query(text), using="words"), None)

    def _search(self, query: Any, only: Any) -> Any:
        request = self.q.SearchRequest(query=query, limit=10, filter=only, with_payload=True)
        return self.shard.search(request)


class Usearch:
    def __init__(self, folder: Path, dimension: int) -> None:
        from usearch.index import Index

        self.path = str(folder / "index.usearch")
        self.index = Index(ndim=dimension, metric="cos", dtype="f16")
        if Path(self.path).exists():
            self.index.load(self.path)

    def put(self, first: int, vectors: np.ndarray, texts: list[str]) -> None:
        self.index.add(np.arange(first, first + len(vectors)), vectors)

    def finish(self) -> None:
        self.index.save(self.path)

    def near(self, vector: np.ndarray) -> Any:
        return self.index.search(vector, 10)

    near_where = words = None  # type: ignore[assignment]


ENGINES: dict[str, tuple[type[Any], str]] = {
    "hector": (Hector, "numpy"),
    "qdrant-edge": (Qdrant, "qdrant_edge"),
    "usearch": (Usearch, "usearch"),
}


def batches(count: int, dimension: int) -> Iterator[tuple[int, np.ndarray, list[str]]]:
    """Clustered vectors, as texts have them, and texts of 60 words."""
    rng, pick = np.random.default_rng(7), random.Random(7)
    centres = rng.standard_normal((200, dimension), dtype=np.float32)
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        noise = rng.standard_normal((size, dimension), dtype=np.float32)
        vectors = centres[rng.integers(0, 200, size)] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield first, vectors, [" ".join(pick.choices(WORDS, k=60)) for _ in range(size)]


def build(engine: str, count: int, dimension: int, folder: Path) -> dict[str, float]:
    spent, made = 0.0, ENGINES[engine][0](folder, dimension)
    for batch in batches(count, dimension):
        began = time.perf_counter()
        made.put(*batch)
        spent += time.perf_counter() - began
    began = time.perf_counter()
    made.finish()
    return {"build_s": spent + time.perf_counter() - began}


def search(engine: str, count: int, dimension: int, folder: Path) -> dict[str, float]:
    rng, pick = np.random.default_rng(8), random.Random(8)
    queries = rng.standard_normal((256, dimension), dtype=np.float32)
    texts = [" ".join(pick.choices(WORDS, k=5)) for _ in range(256)]
    with tempfile.TemporaryDirectory() as elsewhere:
        ENGINES[engine][0](Path(elsewhere), dimension)  # imports are not what is measured
    began = time.perf_counter()
    made: Engine = ENGINES[engine][0](folder, dimension)
    made.near(queries[0])
    found = {"reopen_ms": (time.perf_counter() - began) * 1000}
    times = measured(lambda n: made.near(queries[n % 256]))
    found |= {"qps": len(times) / sum(times), "p50_ms": median(times) * 1000}
    found["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if made.words is not None:
        times = measured(lambda n: made.near_where(queries[n % 256], n % 10))
        found["filter_qps"] = len(times) / sum(times)
        times = measured(lambda n: made.words(texts[n % 256]))
        found["words_qps"] = len(times) / sum(times)
    files = [path for path in folder.rglob("*") if path.is_file()]
    found["disk_mb"] = sum(path.stat().st_blocks * 512 for path in files) / 1e6
    return found


def measured(work: Callable[[int], object]) -> list[float]:
    work(0)
    times: list[float] = []
    while sum(times) < SECONDS and len(times) < 20_000:
        began = time.perf_counter()
        work(len(times))
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--dimensions", default="384,512")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--step", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        step, engine, count, dimension, folder = args.step
        work = build if step == "build" else search
        print(json.dumps(work(engine, int(count), int(dimension), Path(folder))))
        return
    print("| engine | vectors | floats |", " | ".join(title for _, title in COLUMNS), "|")
    print("|---|---|---|" + "---|" * len(COLUMNS))
    for count in args.sizes.split(","):
        for dimension in args.dimensions.split(","):
            for engine in args.engines.split(","):
                if find_spec(ENGINES[engine][1]) is None:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    found: dict[str, float] = {}
                    for step in ("build", "search"):
                        command = [sys.executable, __file__, "--step", step, engine, count, dimension, folder]
                        done = subprocess.run(command, check=True, capture_output=True, text=True)
                        found |= json.loads(done.stdout)
                cells = [
                    f"{found[key]:,.{_digits(found[key])}f}" if key in found else "" for key, _ in COLUMNS
                ]
                print(f"| {engine} | {int(count):,} | {dimension} |", " | ".join(cells), "|", flush=True)


def _digits(value: float) -> int:
    return 2 if value < 10 else 0


if __name__ == "__main__":
    main()

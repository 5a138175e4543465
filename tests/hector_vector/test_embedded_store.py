"""What the embedded store promises beyond the contract: it lasts, has one owner, and never blocks."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import grpc
import pytest
from contracts.planets import PLANETS, ids, packed, record
from grpc import StatusCode
from pydantic import ValidationError

from hector.vector.v1 import (
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteVectorsRequest,
    GetVectorsRequest,
    ListCollectionsRequest,
    ScanVectorsRequest,
    SearchVectorsRequest,
    UpsertVectorsRequest,
)
from hector_mesh import LocalChannel, LocalServer, Mesh, info_of
from hector_vector import VectorSection, build
from hector_vector.errors import VectorStoreInUse
from hector_vector.keywords import queries_of, words_of

NEAR = SearchVectorsRequest(collection="c", vector_f32=packed(1, 0, 0), limit=100)


async def filled(store: DatabaseProviderStub) -> None:
    await store.CreateCollection(CreateCollectionRequest(name="c", dimension=3), timeout=10)
    await store.UpsertVectors(UpsertVectorsRequest(collection="c", vectors=PLANETS), timeout=10)


async def test_everything_is_there_after_a_restart(opened, tmp_path) -> None:
    async with opened(main={"persist_path": tmp_path}) as store:
        await filled(store)
        await store.DeleteVectors(DeleteVectorsRequest(collection="c", ids=["earth"]), timeout=10)
        before = await store.SearchVectors(NEAR, timeout=10)
    async with opened(main={"persist_path": tmp_path}) as store:
        assert await store.SearchVectors(NEAR, timeout=10) == before
        words = SearchVectorsRequest(collection="c", text="rings")
        assert ids((await store.SearchVectors(words, timeout=10)).results) == ["saturn"]


async def test_what_was_acknowledged_survives_kill_9(opened, tmp_path) -> None:
    """Contract: acknowledged records survive a crash."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    acknowledged: list[str] = []
    try:
        async with asyncio.timeout(60):
            while len(acknowledged) < 120:
                acknowledged.append((await child.stdout.readline()).decode().strip())
    finally:
        child.kill()
        acknowledged += (await child.stdout.read()).decode().split()
        await child.wait()
    assert child.returncode == -9
    async with opened(main={"persist_path": tmp_path}) as store:
        found = await store.GetVectors(GetVectorsRequest(collection="c", ids=acknowledged), timeout=10)
        assert ids(found.vectors) == acknowledged
        there = [batch async for batch in store.ScanVectors(ScanVectorsRequest(collection="c"), timeout=10)]
        near = SearchVectorsRequest(collection="c", vector=[1, 1], limit=1000)
        words = SearchVectorsRequest(collection="c", text="numbered", limit=1000)
        scanned = {each.id for batch in there for each in batch.vectors}
        for request in (near, words):
            assert set(ids((await store.SearchVectors(request, timeout=10)).results)) == scanned


WRITER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from hector.vector.v1 import *
    from hector_vector.embedded import EmbeddedStore

    async def main():
        store = EmbeddedStore("main", Path(sys.argv[1]))
        await store.CreateCollection(CreateCollectionRequest(name="c", dimension=2), None)
        for n in range(100_000):
            record = VectorRecord(id=f"r{n}", vector=[1, n % 7], content=f"numbered {n}")
            await store.UpsertVectors(UpsertVectorsRequest(collection="c", vectors=[record]), None)
            print(f"r{n}", flush=True)

    asyncio.run(main())
""")

HOLDER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from hector_vector.lock import locked

    lock = locked("main", Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.read()
""")


async def test_a_second_process_is_told_who_has_the_store_and_what_else_there_is(opened, tmp_path) -> None:
    async with opened(main={"persist_path": tmp_path}) as store:
        await filled(store)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(tmp_path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await child.stdout.readline() == b"held\n"
        with pytest.raises(VectorStoreInUse, match=f"'main'.*process {child.pid}.*qdrant"):
            async with opened(main={"persist_path": tmp_path}):
                pass
    finally:
        child.kill()
        await child.communicate()
    async with opened(main={"persist_path": tmp_path}) as store:
        assert len((await store.SearchVectors(NEAR, timeout=10)).results) == 5


async def test_a_store_that_is_new_here_is_refused_at_its_first_use(opened, tmp_path) -> None:
    """Ours: two may start in an empty folder; the second learns it when it wants something."""
    async with (
        opened(main={"persist_path": tmp_path}) as first,
        opened(main={"persist_path": tmp_path}) as second,
    ):
        await filled(first)
        with pytest.raises(grpc.aio.AioRpcError, match="belongs to one process") as refused:
            await second.ListCollections(ListCollectionsRequest(), timeout=10)
        assert refused.value.code() == StatusCode.FAILED_PRECONDITION
        assert info_of(refused.value).reason == "VECTOR_STORE_IN_USE"


async def test_nothing_is_made_before_the_first_use(opened, tmp_path) -> None:
    async with opened(main={"persist_path": tmp_path / "vectors"}) as store:
        assert not (tmp_path / "vectors").exists()
        await filled(store)
        assert (tmp_path / "vectors").stat().st_mode & 0o777 == 0o700


async def test_vectors_are_forgotten_where_the_database_is(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: `hector call` in a project must not touch what its server has indexed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    section = VectorSection(
        storage={"database": "inmemory"}, vector_stores={"main": {"persist_path": tmp_path / "kept"}}
    )
    server = LocalServer()
    mesh = Mesh({"hector.vector.v1.DatabaseProvider": LocalChannel(server)})
    room = build(section, mesh)
    room.register(server)
    store = DatabaseProviderStub(mesh)
    async with room.running():
        await filled(store)
        assert len((await store.SearchVectors(NEAR, timeout=10)).results) == 5
        (folder,) = sorted(tmp_path.glob("hector-vectors-*/main"))
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.parent.exists()
    assert not (tmp_path / "kept").exists()


def test_numpy_is_not_loaded_before_the_first_use() -> None:
    script = "import sys, hector_vector; hector_vector.build(hector_vector.VectorSection(), None)"
    script += "; assert 'numpy' not in sys.modules and 'sqlite3.dbapi2' in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


async def test_searches_go_on_while_somebody_writes(opened, tmp_path) -> None:
    """Ours: indexing never blocks search, and neither blocks the event loop."""
    async with opened(main={"persist_path": tmp_path}) as store:
        await filled(store)
        many = [record(f"m{n}", (0, 0, 1), "word " * 100) for n in range(3000)]
        writing = asyncio.create_task(upsert(store, many))
        searched = 0
        async with asyncio.timeout(30):
            while not writing.done():
                found = await store.SearchVectors(NEAR, timeout=10)
                assert ids(found.results)[0] == "mercury"
                searched += 1
            await writing
        assert searched > 3


async def upsert(store: DatabaseProviderStub, records: list) -> None:
    await store.UpsertVectors(UpsertVectorsRequest(collection="c", vectors=records), timeout=30)


async def test_writes_before_and_after_the_first_search_are_found_alike(opened, tmp_path) -> None:
    async with opened(main={"persist_path": tmp_path}) as store:
        await filled(store)
        await store.SearchVectors(NEAR, timeout=10)
        await upsert(store, [record(f"late{n}", (1, n / 1000, 0)) for n in range(700)])
        await store.DeleteVectors(
            DeleteVectorsRequest(collection="c", ids=[f"late{n}" for n in range(0, 700, 2)]), timeout=10
        )
        everything = SearchVectorsRequest(collection="c", vector_f32=packed(1, 0, 0), limit=1000)
        live = await store.SearchVectors(everything, timeout=10)
    async with opened(main={"persist_path": tmp_path}) as store:
        assert await store.SearchVectors(everything, timeout=10) == live
    assert len(live.results) == 350 + 5


async def test_a_file_that_is_no_database_is_a_clear_error(opened, tmp_path) -> None:
    (tmp_path / "vectors.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    async with opened(main={"persist_path": tmp_path}) as store:
        with pytest.raises(grpc.aio.AioRpcError, match=r"'main'.*not a database.*indexed again") as broken:
            await store.ListCollections(ListCollectionsRequest(), timeout=10)
        assert broken.value.code() == StatusCode.DATA_LOSS


async def test_a_file_of_another_version_is_left_alone(opened, tmp_path) -> None:
    with sqlite3.connect(tmp_path / "vectors.db") as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    async with opened(main={"persist_path": tmp_path}) as store:
        with pytest.raises(grpc.aio.AioRpcError, match="it has layout 7"):
            await store.ListCollections(ListCollectionsRequest(), timeout=10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_may_not_be_written_is_a_clear_error(opened, tmp_path) -> None:
    tmp_path.chmod(0o500)
    async with opened(main={"persist_path": tmp_path / "x"}) as store:
        with pytest.raises(grpc.aio.AioRpcError, match="Permission denied"):
            await store.ListCollections(ListCollectionsRequest(), timeout=10)


async def test_the_instance_chooses_the_store(opened, tmp_path) -> None:
    async with opened(a={"persist_path": tmp_path / "a"}, b={"persist_path": tmp_path / "b"}) as mesh:
        await filled(DatabaseProviderStub(mesh.at("vector_stores.a")))
        other = DatabaseProviderStub(mesh.at("vector_stores.b"))
        listed = other.ListCollections(ListCollectionsRequest(), timeout=10)
        assert not (await listed).collections
        for name in ("c", "default"):
            stub = DatabaseProviderStub(mesh.at(f"vector_stores.{name}"))
            with pytest.raises(grpc.aio.AioRpcError, match="configured: a, b") as missing:
                await stub.ListCollections(ListCollectionsRequest(), timeout=10)
            assert missing.value.code() == StatusCode.NOT_FOUND


async def test_the_only_store_is_the_default_one(opened, tmp_path) -> None:
    async with opened(mine={"persist_path": tmp_path}) as store:
        await filled(store)
    section = VectorSection(vector_stores={"mine": {"persist_path": tmp_path}})
    server = LocalServer()
    mesh = Mesh({"hector.vector.v1.DatabaseProvider": LocalChannel(server)})
    room = build(section, mesh)
    room.register(server)
    async with room.running():
        for instance in ("vector_stores.default", ""):
            stub = DatabaseProviderStub(mesh.at(instance))
            assert len((await stub.SearchVectors(NEAR, timeout=10)).results) == 5


async def test_words_are_weighed_by_how_rare_they_are(opened, tmp_path) -> None:
    """Ours: BM25 as everybody writes it, k1 1.2 and b 0.75; a word in all records still counts a little."""
    async with opened(main={"persist_path": tmp_path}) as store:
        await store.CreateCollection(CreateCollectionRequest(name="c", dimension=1), timeout=10)
        texts = ["alpha beta", "alpha alpha", "alpha gamma"]
        await upsert(store, [record(str(n), (1,), text) for n, text in enumerate(texts)])
        found = await store.SearchVectors(SearchVectorsRequest(collection="c", text="alpha beta"), timeout=10)
        common, rare = 0.13353139, 0.98082925  # ln(1 + 0.5 / 3.5) and ln(1 + 2.5 / 1.5)
        scores = {each.id: each.score for each in found.results}
        assert scores == {
            "0": pytest.approx(common + rare, rel=1e-4),
            "1": pytest.approx(common * 2 * 2.2 / (2 + 1.2), rel=1e-4),
            "2": pytest.approx(common, rel=1e-4),
        }


async def test_a_title_counts_more_than_the_text_below_it(opened, tmp_path) -> None:
    async with opened(main={"persist_path": tmp_path}) as store:
        await store.CreateCollection(CreateCollectionRequest(name="c", dimension=1), timeout=10)
        in_text = record("text", (1,), "start " + "other words " * 3, title="Pages")
        in_title = record("title", (1,), "about " + "other words " * 3, title="Start")
        await upsert(store, [in_text, in_title, *(record(str(n), (1,), "filler") for n in range(8))])
        found = await store.SearchVectors(SearchVectorsRequest(collection="c", text="starting"), timeout=10)
        assert ids(found.results) == ["title", "text"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_file_size", "maxfilesize max file size"),
        ("parseHTTPRequest", "parseHTTPRequest parse HTTP Request"),
        ("démarrer Ärger sha256", "démarrer Ärger sha256"),
        ("東京都", "東京 京都"),
        ("v2東京 x", "v2 東京 x"),
        ("…", ""),
    ],
)
def test_words_of_texts_and_identifiers(text: str, words: str) -> None:
    assert words_of(text) == words


def test_common_words_are_left_out_unless_there_are_no_others() -> None:
    assert queries_of("How do I start?") == ['"start"']
    assert queries_of("who is it") == ['"who"', '"is"', '"it"']


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ({"type": "qdrant"}, "known, but not available in this version"),
        ({"type": "plugin:x", "persist_path": "x"}, "it belongs to the embedded store"),
        ({"type": "qdrnt"}, "available: embedded"),
        ({"host": "example.org"}, "Extra inputs"),
        ({"compress": True}, "known, but not available in this version"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_what_a_config_cannot_mean_is_refused(store: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VectorSection(vector_stores={"main": store})


def test_stores_get_folders_of_their_own() -> None:
    assert VectorSection().vector_stores["default"].persist_path == Path(".hector/vectors/default")
    assert VectorSection(vector_stores={"a": {}}).vector_stores["a"].persist_path == Path(".hector/vectors/a")
    with pytest.raises(ValidationError, match='"a" and "b" have the same persist_path'):
        VectorSection(vector_stores={"a": {"persist_path": "x"}, "b": {"persist_path": "x"}})
    placed = VectorSection.model_validate({"vector_stores": {"a": {}}}, context={"project_dir": Path("/srv")})
    assert placed.vector_stores["a"].persist_path == Path("/srv/.hector/vectors/a")

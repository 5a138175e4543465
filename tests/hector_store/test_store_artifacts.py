"""Artifacts with versions: in rows, in pieces, in a folder, in an object store; and what a crash leaves."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from hector_mesh import HectorError
from hector_store import Artifacts, Blobs, Database, Kept, NewArtifact, NewEvent, NewRun, RunLog, blobs_of
from hector_store.artifacts import hash_of
from hector_store.blobs_config import BlobsConfig
from hector_store.schema import INLINE_BYTES

LARGE = b"x" * (2 * INLINE_BYTES + 1)


def made(data: bytes, name: str = "chart.png", context: str = "c1", owner: str = "ann") -> NewArtifact:
    return NewArtifact(owner, context, name, data, len(data), hash_of(data), "image/png")


@pytest.fixture(params=["database", "folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs | None:
    url = {"database": "", "folder": str(tmp_path / "blobs"), "memory": "memory://"}[request.param]
    return blobs_of(BlobsConfig(url=url, larger_than=10))


async def test_each_save_is_a_version_and_all_can_be_loaded(database: Database, blobs: Blobs | None) -> None:
    database.blobs, artifacts = blobs, Artifacts(database)
    contents = (b"1", b"second, longer", LARGE)
    for number, data in enumerate(contents, 1):
        row = await artifacts.save("default", made(data))
        assert (row.version, row.size_bytes, row.media_type) == (number, len(data), "image/png")
    for number, data in enumerate((*contents, LARGE), 1):
        found = await artifacts.load("default", "ann", "c1", "chart.png", number % 4)
        assert found is not None
        assert (found[1], found[0].version) == (data, min(number, 3))
    for strange in (("other", "ann", "c1"), ("default", "bob", "c1"), ("default", "ann", "c2")):
        assert await artifacts.load(*strange, "chart.png") is None
    assert await artifacts.load("default", "ann", "c1", "chart.png", 4) is None
    assert await artifacts.problems() == []


async def test_artifacts_are_listed_by_name_with_their_users(database: Database) -> None:
    artifacts = Artifacts(database)
    for name, context in (("b", "c1"), ("a", "c1"), ("a", "c1"), ("user:a", ""), ("z", "c2")):
        await artifacts.save("default", made(b"1", name, context))
    seen, token = [], ""
    while True:
        page = await artifacts.page("default", "ann", "c1", size=2, token=token)
        seen += [(row.name, row.version) for row in page.artifacts]
        if not (token := page.next_page_token):
            break
    assert seen == [("a", 2), ("b", 1), ("user:a", 1)]
    first = await artifacts.page("default", "ann", "c1", "a", size=1)
    rest = await artifacts.page("default", "ann", "c1", "a", size=1, token=first.next_page_token)
    assert [row.version for row in (*first.artifacts, *rest.artifacts)] == [2, 1]
    assert rest.next_page_token == ""
    assert [row.name for row in (await artifacts.page("default", "ann", "")).artifacts] == ["user:a"]


async def test_versions_that_are_saved_at_once_get_numbers_of_their_own(database: Database) -> None:
    artifacts = Artifacts(database)
    rows = await asyncio.gather(*(artifacts.save("default", made(b"%d" % n)) for n in range(20)))
    assert sorted(row.version for row in rows) == list(range(1, 21))


async def test_a_runs_artifact_is_written_with_its_event_or_not_at_all(database: Database) -> None:
    log, artifacts = RunLog(database), Artifacts(database)
    kept = Kept(artifacts=(made(b"1"), made(b"2")))
    run = await log.create(
        NewRun(app="default", owner="ann", agent="a", context_id="c1"), [NewEvent("e")], kept
    )
    await log.append(run.run_id, 1, [NewEvent("e")], kept=Kept(artifacts=(made(b"3"),)))
    with pytest.raises(HectorError):
        await log.append(run.run_id, 7, [NewEvent("e")], kept=Kept(artifacts=(made(b"4"),)))
    found = await artifacts.page("default", "ann", "c1", "chart.png")
    assert [(row.version, row.run_id) for row in found.artifacts] == [(n, run.run_id) for n in (3, 2, 1)]


async def test_what_is_deleted_is_gone_outside_too(database: Database, blobs: Blobs | None) -> None:
    database.blobs, artifacts = blobs, Artifacts(database)
    rows = [await artifacts.save("default", made(LARGE)) for _ in range(3)]
    assert await artifacts.delete("default", "ann", "c1", "chart.png", 2) == 1
    assert await artifacts.load("default", "ann", "c1", "chart.png", 2) is None
    assert await artifacts.load("default", "ann", "c1", "chart.png", 3) is not None
    assert await artifacts.sweep(older_than_s=0) == (blobs is not None)
    assert await RunLog(database).delete_context("default", "ann", "c1") == 0
    assert await artifacts.sweep(older_than_s=0) == (2 if blobs is not None else 0)
    assert await artifacts.sweep(older_than_s=0) == 0
    if blobs is not None:
        assert not any([await blobs.has(row.place) for row in rows])


async def test_a_content_whose_artifact_was_never_written_is_swept_when_it_is_old(
    database: Database, tmp_path: Path
) -> None:
    """Ours: no crash leaves half an artifact, and none leaves a content that nobody finds."""
    blobs = blobs_of(BlobsConfig(url=str(tmp_path / "blobs"), larger_than=10))
    assert blobs is not None
    database.blobs, artifacts = blobs, Artifacts(database)
    left = await artifacts.prepared("default", made(LARGE))  # and here the process dies
    assert await blobs.has(left.place)
    assert (await artifacts.page("default", "ann", "c1")).artifacts == ()
    assert await artifacts.sweep() == 0, "it may be on its way"
    assert await artifacts.sweep(older_than_s=0) == 1
    assert not await blobs.has(left.place)
    log = RunLog(database)
    late = NewRun(app="default", owner="ann", agent="a", context_id="c1")
    with pytest.raises(HectorError) as gone:  # it was not dead, but very slow
        await log.create(late, [NewEvent("e")], Kept(artifacts=(left,)))
    assert gone.value.reason == "ARTIFACT_CONTENT_GONE"


async def test_a_content_that_is_lost_or_damaged_is_told_and_never_shown(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "blobs"
    database.blobs = blobs_of(BlobsConfig(url=str(folder), larger_than=10))
    artifacts = Artifacts(database)
    row = await artifacts.save("default", made(LARGE))
    (folder / row.place).write_bytes(b"y" * len(LARGE))
    with pytest.raises(HectorError, match="damaged"):
        await artifacts.load("default", "ann", "c1", "chart.png")
    (folder / row.place).unlink()
    with pytest.raises(HectorError, match=r"chart\.png"):
        await artifacts.load("default", "ann", "c1", "chart.png")
    (problem,) = await artifacts.problems()
    assert row.place in problem
    database.blobs = None
    (told,) = await artifacts.problems()
    assert "storage.blobs.url" in told


def a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    return str(folder / "file")


@pytest.mark.parametrize("place", [a_file, lambda folder: "s3://127.0.0.1-nowhere/prefix"])
async def test_a_place_that_cannot_be_used_keeps_artifacts_from_being_written(
    place: Callable[[Path], str], database: Database, tmp_path: Path
) -> None:
    config = {"endpoint": "http://127.0.0.1:9", "region": "x", "access_key_id": "a", "secret_access_key": "b"}
    url = place(tmp_path)
    options = BlobsConfig.model_validate({"url": url, "options": config, "larger_than": 10})
    database.blobs, artifacts = blobs_of(options), Artifacts(database)
    with pytest.raises(HectorError, match=r"storage\.blobs") as away:
        await artifacts.save("default", made(LARGE))
    assert away.value.reason == "BLOBS_UNREACHABLE"
    assert (await artifacts.save("default", made(b"small"))).version == 1


def test_options_that_no_store_knows_are_refused() -> None:
    config = BlobsConfig.model_validate({"url": "s3://bucket", "options": {"nonsense": "1"}})
    with pytest.raises(HectorError, match="nonsense") as wrong:
        blobs_of(config)
    assert wrong.value.reason == "BLOBS_NOT_USABLE"


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "s3://key:secret@bucket/x"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|credentials"):
        BlobsConfig(url=url)

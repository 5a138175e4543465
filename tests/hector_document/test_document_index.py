"""A folder becomes searchable and stays so across restarts and changes; nothing is read twice for nothing."""

import asyncio
import os
import shutil

from grpc import StatusCode

from hector.document.v1 import (
    DocumentStoreStub,
    GetIndexStatusRequest,
    IndexDocumentsRequest,
    IndexState,
    ListDocumentsRequest,
)
from hector_mesh import HectorError


class Away(HectorError):
    """Nobody answers."""

    code = StatusCode.UNAVAILABLE
    reason = "AWAY"


LONG = "\n\n".join(
    f"Paragraph {n} says that the number is {n * 7919}. " + "More text. " * 40 for n in range(9)
)


async def test_a_folder_is_searchable_when_the_room_is_ready(house) -> None:
    house.write("start.md", "# Start\n\nRun the blue command.\n")
    house.write("deep/er/notes.txt", "The colour of the sky is azure.")
    async with house.opened() as docs:
        assert (await docs.sources("azure sky"))[0] == "docs/deep/er/notes.txt"
        status = await docs.status()
        assert status.state == IndexState.INDEX_STATE_CURRENT
        assert (status.documents_total, status.documents_indexed, status.documents_failed) == (2, 2, 0)
        assert (status.passages, status.documents_embedded) == (2, 2)
        assert status.index_time.seconds > 0
        assert not status.error


async def test_a_restart_reads_nothing_that_has_not_changed(house) -> None:
    for n in range(12):
        house.write(f"{n}.md", f"# Page {n}\n\nText of page {n}.\n")
    async with house.opened():
        pass
    calls = house.embedder.calls
    assert calls == 12
    house.write("5.md", "# Page 5\n\nNow about zebras.\n")
    async with house.opened() as docs:
        assert (await docs.status()).documents_indexed == 12
        assert (await docs.status()).documents_embedded == 1
        assert (await docs.sources("zebras"))[0] == "docs/5.md"
    assert house.embedder.calls == calls + 1


async def test_a_touched_file_is_not_embedded_again(house) -> None:
    path = house.write("a.md", "# A\n\nText.\n")
    async with house.opened() as docs:
        path.touch()
        await docs.update()
        path.rename(path.with_name("a.tmp")).rename(path)
        await docs.update()
        assert (await docs.status()).documents_embedded == 1


async def test_a_file_changed_at_the_same_moment_and_size_is_noticed(house) -> None:
    """Ours: a time is coarse; a file read just after it was written is compared by content."""
    path = house.write("a.md", "one zebra")
    async with house.opened() as docs:
        before = path.stat()
        path.write_text("two okapi")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        await docs.update()
        assert "okapi" in (await docs.search("okapi"))[0].content


async def test_without_incremental_indexing_a_start_embeds_everything(house) -> None:
    house.write("a.md", "text")
    for _ in range(2):
        async with house.opened(docs={"incremental_indexing": False}):
            pass
    assert house.embedder.calls == 2


async def test_shrunken_and_deleted_documents_leave_no_passages(house) -> None:
    house.write("long.md", LONG)
    house.write("gone.md", LONG.replace("number", "figure"))
    async with house.opened() as docs:
        before = await docs.status()
        assert before.passages == await docs.stored() == 10
        house.write("long.md", "Only this is left: ocelot.")
        (house.docs / "gone.md").unlink()
        after = await docs.update()
        assert (after.documents_total, after.documents_indexed, after.passages) == (1, 1, 1)
        assert await docs.stored() == 1
        assert await docs.sources("number figure paragraph", mode=2) == []


async def test_a_growing_document_is_found_to_its_end(house) -> None:
    house.write("a.md", "short")
    async with house.opened() as docs:
        house.write("a.md", LONG)
        await docs.update()
        found = (await docs.search("63352"))[0]
        assert "number is 63352" in found.content
        assert found.chunk_index == 4


async def test_another_chunker_forces_a_rebuild(house) -> None:
    house.write("a.md", LONG)
    async with house.opened() as docs:
        coarse = (await docs.status()).passages
    async with house.opened(docs={"chunking": {"size": 200, "min_size": 50}}) as docs:
        status = await docs.status()
        assert status.documents_embedded == 1
        assert status.passages == await docs.stored() > coarse


async def test_another_embedder_forces_a_rebuild_even_of_another_length(house) -> None:
    house.write("a.md", LONG)
    house.write("b.md", "Capybaras swim.")
    async with house.opened():
        pass
    house.embedder.fingerprint = " of another version"
    async with house.opened() as docs:
        assert (await docs.status()).documents_embedded == 2
    house.embedder = type(house.embedder)(dimension=48)
    (house.docs / "a.md").unlink()
    async with house.opened() as docs:
        status = await docs.status()
        assert (status.documents_embedded, status.passages, await docs.stored()) == (1, 1, 1)
        assert (await docs.sources("capybara"))[0] == "docs/b.md"


async def test_a_lost_vector_store_is_filled_again(house) -> None:
    house.write("a.md", LONG)
    async with house.opened():
        pass
    shutil.rmtree(house.folder / "vectors")
    async with house.opened() as docs:
        assert (await docs.status()).documents_embedded == 1
        assert (await docs.status()).passages == await docs.stored()


async def test_a_lost_database_leaves_no_old_passages(house) -> None:
    house.write("a.md", LONG)
    house.write("b.md", "Capybaras swim.")
    async with house.opened():
        pass
    shutil.rmtree(house.folder / ".hector")
    (house.docs / "a.md").unlink()
    async with house.opened() as docs:
        assert await docs.stored() == 1


async def test_force_reads_everything_again(house) -> None:
    house.write("a.md", "text")
    async with house.opened() as docs:
        assert (await docs.update()).documents_embedded == 1
        assert (await docs.update(force=True)).documents_embedded == 2


async def test_an_update_goes_on_when_its_caller_leaves(house) -> None:
    """Contract: IndexDocuments."""
    async with house.opened() as docs:
        house.embedder.gate.clear()
        house.write("a.md", "Lemurs leap.")
        stub = DocumentStoreStub(docs.mesh.at("document_stores.docs"))
        call = stub.IndexDocuments(IndexDocumentsRequest())
        await call.read()
        await house.embedder.called(1)
        call.cancel()
        house.embedder.gate.set()
        await docs.until(lambda status: status.documents_indexed == 1)
        assert (await docs.sources("lemurs"))[0] == "docs/a.md"


async def test_search_answers_while_documents_are_indexed(house) -> None:
    house.write("a.md", "Lemurs leap.")
    async with house.opened() as docs:
        house.embedder.gate.clear()
        house.write("b.md", "Otters float.")
        calls = house.embedder.calls
        updating = asyncio.create_task(docs.update())
        await house.embedder.called(calls + 1)
        assert (await docs.status()).state == IndexState.INDEX_STATE_UPDATING
        assert (await docs.sources("lemurs"))[0] == "docs/a.md"
        house.embedder.gate.set()
        assert (await updating).state == IndexState.INDEX_STATE_CURRENT


async def test_documents_are_embedded_side_by_side_but_not_all_at_once(house) -> None:
    for n in range(20):
        house.write(f"{n}.md", f"Page {n}")
    house.embedder.gate.clear()
    async with house.opened(ready=False, docs={"indexing": {"max_concurrent": 3}}) as docs:
        await house.embedder.called(3)
        house.embedder.gate.set()
        await docs.until(lambda status: status.documents_indexed == 20)
    assert house.embedder.most_at_once == 3


async def test_an_embedder_that_is_away_is_reported_and_tried_again(house) -> None:
    house.write("a.md", "Lemurs leap.")
    house.embedder.failure = Away("the embedder is out")
    async with house.opened() as docs:
        status = await docs.until(lambda status: status.state == IndexState.INDEX_STATE_FAILED)
        assert "the embedder is out" in status.error
        house.embedder.failure = None
        status = await docs.until(lambda status: status.state == IndexState.INDEX_STATE_CURRENT)
        assert (status.documents_indexed, status.error) == (1, "")
        assert (await docs.sources("lemurs"))[0] == "docs/a.md"


async def test_a_folder_that_is_away_keeps_what_was_indexed(house) -> None:
    house.write("a.md", "Lemurs leap.")
    async with house.opened() as docs:
        house.docs.rename(house.folder / "elsewhere")
        status = await docs.update()
        assert status.state == IndexState.INDEX_STATE_FAILED
        assert str(house.docs) in status.error
        assert (await docs.sources("lemurs"))[0] == "docs/a.md"
        (house.folder / "elsewhere").rename(house.docs)
        await docs.until(lambda status: status.state == IndexState.INDEX_STATE_CURRENT)


async def test_what_a_pass_left_half_done_is_done_after_a_restart(house) -> None:
    for n in range(6):
        house.write(f"{n}.md", f"Page {n} about topic{n}.")
    house.embedder.gate.clear()
    async with house.opened(ready=False) as docs:
        await house.embedder.called(6)
        assert (await docs.status()).state == IndexState.INDEX_STATE_BUILDING
    house.embedder.gate.set()
    async with house.opened() as docs:
        assert (await docs.status()).documents_indexed == await docs.stored() == 6


async def test_a_long_pass_says_how_far_it_is(house, caplog, monkeypatch) -> None:
    monkeypatch.setattr("hector_document.update.REPORT_S", 0.0)
    caplog.set_level("INFO", "hector_document")
    for n in range(3):
        house.write(f"{n}.md", f"Page {n}")
    async with house.opened():
        pass
    said = [record for record in caplog.records if record.message == "index under way"]
    assert sorted((record.done, record.of) for record in said) == [(1, 3), (2, 3), (3, 3)]
    assert caplog.messages[-1] == "index brought up to date"


async def test_documents_are_listed_by_name_in_pages(house) -> None:
    for name in ("b.md", "a.md", "c/d.md"):
        house.write(name, f"Text of {name}")
    house.write("bad.txt", b"\x00\x01binary")
    async with house.opened() as docs:
        stub = DocumentStoreStub(docs.mesh.at("document_stores.docs"))
        first = await stub.ListDocuments(ListDocumentsRequest(page_size=3), timeout=5)
        assert [each.name for each in first.documents] == ["a.md", "b.md", "bad.txt"]
        last = await stub.ListDocuments(
            ListDocumentsRequest(page_size=3, page_token=first.next_page_token), timeout=5
        )
        assert [each.source for each in last.documents] == ["docs/c/d.md"]
        assert not last.next_page_token
        assert last.documents[0].passages == 1
        assert last.documents[0].size_bytes == len("Text of c/d.md")
        assert last.documents[0].modify_time.seconds > 0
        assert "binary" in first.documents[2].error


async def test_status_is_of_one_store_or_of_all(house) -> None:
    house.write("a.md", "text")
    async with house.opened(one={}, two={"source": {"include": ["*.txt"]}}) as docs:
        everything = await docs.stub.GetIndexStatus(GetIndexStatusRequest(), timeout=5)
        assert [(each.document_store, each.documents_indexed) for each in everything.statuses] == [
            ("one", 1),
            ("two", 0),
        ]
        assert (await docs.status("two")).document_store == "two"

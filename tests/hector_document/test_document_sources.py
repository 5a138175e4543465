"""Which files are read, how they are cited, and what becomes of those that cannot be read."""

import os

import pytest

from hector.document.v1 import IndexState
from hector_document.directory import Directory, File


async def test_citations_are_paths_of_the_project_with_exact_lines(house) -> None:
    house.write("guide/setup.md", "intro\n\n# Setup\n\n## Linux\n\nType apt.\n\n## macOS\n\nType brew.\n")
    async with house.opened(docs={"chunking": {"size": 60, "min_size": 0}}) as docs:
        found = (await docs.search("brew"))[0]
        assert (found.source, found.start_line, found.end_line) == ("docs/guide/setup.md", 9, 11)
        assert found.title == "Setup > macOS"
        assert found.content == "## macOS\n\nType brew.\n"
        assert (found.document, found.document_store) == ("guide/setup.md", "docs")


async def test_files_outside_of_the_project_are_cited_from_their_folder(house, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.md").write_text("Pangolins curl up.")
    async with house.opened(docs={"source": {"path": str(elsewhere)}}) as docs:
        assert await docs.sources("pangolin") == ["far.md"]


async def test_hidden_and_vendored_folders_are_left_out(house) -> None:
    for name in (
        ".git/a.md",
        ".hidden.md",
        "node_modules/b.md",
        "x/__pycache__/c.py",
        "vendor/d.go",
        "kept.md",
    ):
        house.write(name, "needle in this file")
    async with house.opened() as docs:
        assert await docs.sources("needle") == ["docs/kept.md"]
    async with house.opened(docs={"source": {"exclude": []}}) as docs:
        assert len(await docs.sources("needle", limit=100)) == 6


async def test_globs_choose_and_leave_out(house) -> None:
    for name in ("a.md", "b.txt", "guides/c.md", "guides/deep/d.md", "guides/deep/e.rst", "drafts/f.md"):
        house.write(name, "needle in this file")
    chosen = {"include": ["guides/**/*.{md,rst}", "*.txt"], "exclude": ["drafts/", "**/d.md"]}
    async with house.opened(docs={"source": chosen}) as docs:
        assert sorted(await docs.sources("needle")) == [
            "docs/b.txt",
            "docs/guides/c.md",
            "docs/guides/deep/e.rst",
        ]


async def test_links_that_lead_out_are_not_followed(house, tmp_path_factory) -> None:
    """Ours: what is indexed can be read by whoever may search."""
    secret = tmp_path_factory.mktemp("outside") / "secret.md"
    secret.write_text("needle of somebody else")
    house.write("real.md", "needle of ours")
    (house.docs / "file.md").symlink_to(secret)
    (house.docs / "folder").symlink_to(secret.parent)
    (house.docs / "loop").symlink_to(house.docs)
    (house.docs / "nowhere.md").symlink_to("does-not-exist")
    (house.docs / "inside.md").symlink_to(house.docs / "real.md")
    async with house.opened() as docs:
        assert sorted(await docs.sources("needle")) == ["docs/inside.md", "docs/real.md"]
        assert (await docs.status()).documents_total == 2


async def test_a_pipe_does_not_hold_the_index_up(house) -> None:
    os.mkfifo(house.docs / "pipe.md")
    house.write("a.md", "text")
    async with house.opened() as docs:
        assert (await docs.status()).documents_indexed == 1


async def test_what_cannot_be_read_is_counted_and_said(house) -> None:
    house.write("good.md", "fine")
    house.write("picture.md", b"\x89PNG\r\n\x1a\n\x00\x00")
    house.write("control.txt", b"\xff\x01\x02\x03")
    house.write("large.md", "x" * 2000)
    house.write("broken16.txt", b"\xff\xfea\x00\x00\xd8b\x00")
    async with house.opened(docs={"source": {"max_file_size": 1000}}) as docs:
        status = await docs.status()
        assert status.state == IndexState.INDEX_STATE_CURRENT
        assert (status.documents_total, status.documents_indexed, status.documents_failed) == (5, 1, 4)
        errors = {failure.document: failure.error for failure in status.failures}
        assert "zero bytes" in errors["picture.md"]
        assert "binary" in errors["control.txt"]
        assert "2000 bytes" in errors["large.md"]
        assert "1000" in errors["large.md"]
        assert "UTF-16" in errors["broken16.txt"]
        assert (await docs.update()).documents_embedded == 1


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("\ufeffGrüße aus Köln".encode(), "Köln"),
        ("Grüße aus Köln".encode("utf-16"), "Köln"),
        ("Grüße aus Köln".encode("utf-32"), "Köln"),
        ("Grüße aus Köln".encode("latin-1"), "Köln"),
        ("Preis: 5 €".encode("cp1252"), "Preis: 5 €"),
    ],
)
async def test_texts_of_other_encodings_are_read(house, content: bytes, word: str) -> None:
    house.write("a.txt", content)
    async with house.opened() as docs:
        assert word in (await docs.search(word))[0].content


async def test_a_document_that_becomes_unreadable_is_found_no_more(house) -> None:
    house.write("a.md", "Lemurs leap.")
    async with house.opened() as docs:
        house.write("a.md", b"\x00\x00")
        status = await docs.update()
        assert (status.documents_failed, await docs.stored()) == (1, 0)
        house.write("a.md", "Lemurs leap again.")
        status = await docs.update()
        assert (status.documents_failed, status.documents_indexed) == (0, 1)
        assert await docs.sources("lemurs") == ["docs/a.md"]


async def test_an_empty_document_is_indexed_and_has_no_passages(house) -> None:
    house.write("empty.md", "")
    house.write("blank.md", "\n \n\t\n")
    async with house.opened() as docs:
        status = await docs.status()
        assert (status.documents_indexed, status.documents_failed, status.passages) == (2, 0, 0)
        assert (await docs.update()).documents_failed == 0


async def test_odd_and_endless_file_names_are_no_trouble(house) -> None:
    names = ["with space.md", "ünï.md", "quote\"'.md", "new\nline.md", "a" * 200 + ".md", "ü" * 120 + ".md"]
    for name in names:
        house.write(name, f"needle in {name[:10]}")
    house.write("/".join(["folder" * 5] * 12) + "/deep.md", "needle far below")
    house.write(os.fsdecode(b"\xff\xfe.md"), "needle in bytes")
    async with house.opened() as docs:
        status = await docs.status()
        assert (status.documents_indexed, status.documents_failed) == (8, 0)
        assert len(set(await docs.sources("needle", limit=100))) == 8
        assert (await docs.update()).documents_embedded == 8


async def test_a_file_that_vanishes_before_it_is_read_is_no_failure(
    house, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write("a.md", "Lemurs leap.")
    house.write("b.md", "Otters float.")
    read = Directory.read

    def vanishing(self: Directory, file: File) -> bytes:
        if file.document == "b.md":
            file.path.unlink(missing_ok=True)
        return read(self, file)

    monkeypatch.setattr(Directory, "read", vanishing)
    async with house.opened() as docs:
        status = await docs.status()
        assert (status.state, status.documents_indexed) == (IndexState.INDEX_STATE_CURRENT, 1)
        assert status.documents_failed == 0


async def test_a_missing_folder_is_a_failure_with_its_path(house) -> None:
    async with house.opened(docs={"source": {"path": "nowhere"}}) as docs:
        status = await docs.status()
        assert status.state == IndexState.INDEX_STATE_FAILED
        assert str(house.folder / "nowhere") in status.error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
async def test_a_file_without_permission_is_a_failure_until_it_has_it(house) -> None:
    path = house.write("a.md", "Lemurs leap.")
    path.chmod(0)
    async with house.opened() as docs:
        assert (await docs.status()).documents_failed == 1
        path.chmod(0o600)
        assert (await docs.update()).documents_failed == 0

"""kill -9 in the middle of an index: what was done stays done, and nothing is left over."""

import asyncio
import sys
import textwrap

DOCUMENTS = 120
CONCURRENT = 4

# The whole room in a process of its own; says each embedded document aloud.
INDEXER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from hector.embedder.v1 import add_EmbedderProviderServicer_to_server
    from hector_document import DocumentSection, build
    from hector_embedder import EmbedderConfig
    from hector_embedder.local import LocalEmbedder
    from hector_mesh import LocalChannel, LocalServer, Mesh
    from hector_vector import VectorSection
    from hector_vector import build as build_vectors

    class Telling(LocalEmbedder):
        async def EmbedBatch(self, request, context):
            print("embedded", flush=True)
            return await super().EmbedBatch(request, context)

    async def main(folder):
        server = LocalServer()
        channel = LocalChannel(server)
        services = ("embedder.v1.EmbedderProvider", "vector.v1.DatabaseProvider", "document.v1.DocumentStore")
        mesh = Mesh({f"hector.{name}": channel for name in services})
        vectors = build_vectors(
            VectorSection(vector_stores={"default": {"persist_path": folder / "vectors"}}), mesh
        )
        config = DocumentSection.model_validate_json(sys.argv[2])
        documents = build(config, mesh)
        add_EmbedderProviderServicer_to_server(Telling(EmbedderConfig(dimension=64)), server)
        vectors.register(server)
        documents.register(server)
        async with vectors.running(), documents.running():
            await asyncio.Event().wait()

    asyncio.run(main(Path(sys.argv[1])))
""")


async def killed_after(embedded: int, folder: str, config: str) -> int:
    """Index in a child until so many documents were embedded; return how many it was in the end."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", INDEXER, folder, config), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    count = 0
    try:
        async with asyncio.timeout(60):
            while count < embedded:
                assert await child.stdout.readline() == b"embedded\n"
                count += 1
    finally:
        child.kill()
        count += (await child.stdout.read()).count(b"embedded\n")
        await child.wait()
    assert child.returncode == -9
    return count


async def test_an_interrupted_index_resumes_and_leaves_nothing_behind(house) -> None:
    """Ours: embed calls in all are at most one a document, plus those that were under way at each kill."""
    for n in range(DOCUMENTS):
        house.write(f"{n}.md", f"# Page {n}\n\n" + f"Words of page{n}. " * (60 if n % 2 else 200))
    store = {"docs": {"indexing": {"max_concurrent": CONCURRENT}}}
    config = house.config(**store).model_dump_json()
    embedded = await killed_after(DOCUMENTS * 2 // 5, str(house.folder), config)
    embedded += await killed_after(DOCUMENTS // 5, str(house.folder), config)
    # While nobody looked, one document got shorter and one went away.
    house.write("1.md", "Only a line about axolotls.")
    (house.docs / "3.md").unlink()
    async with house.opened(**store) as docs:
        status = await docs.status()
        assert status.documents_indexed == DOCUMENTS - 1
        assert embedded + house.embedder.calls <= DOCUMENTS + 1 + 2 * CONCURRENT
        assert status.passages == await docs.stored()
        assert (await docs.sources("axolotl"))[0] == "docs/1.md"
        assert await docs.sources("page3", mode=2) == []
        assert (await docs.sources("page117", mode=2))[0] == "docs/117.md"

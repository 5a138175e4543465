"""What tests get instead of migrations is what migrations make."""

import sqlite3
from contextlib import closing
from pathlib import Path

from support.made_tables import repeating

from hector_store.migrate import migrate
from hector_store.migrations import HEAD
from hector_store.sqlite import prepare_file, writer_engine
from hector_store.url import Place, parse


def made_in(place: Place, how: object) -> list[str]:
    """Make a database's tables, and return all that it then holds."""
    prepare_file(place)
    engine = writer_engine(place, 1)
    with engine.connect() as connection, connection.begin():
        how(connection, place.name)  # type: ignore[operator]
    engine.dispose()
    with closing(sqlite3.connect(str(place.file))) as opened:
        return list(opened.iterdump())


def test_a_repeated_migration_leaves_what_a_real_one_does(tmp_path: Path) -> None:
    repeat = repeating(migrate)
    real, again = (made_in(parse(f"sqlite://{tmp_path}/{name}.db"), repeat) for name in ("real", "again"))
    assert again == real
    assert f"INSERT INTO \"hector_schema\" VALUES('{HEAD}');" in real


def test_a_database_that_holds_anything_is_really_migrated(tmp_path: Path) -> None:
    asked: list[str] = []
    place = parse(f"sqlite://{tmp_path}/x.db")
    with closing(sqlite3.connect(str(place.file))) as opened:
        opened.execute("CREATE TABLE somebodys (x)")
    made_in(place, repeating(lambda connection, name: asked.append(name)))
    assert asked == [place.name]

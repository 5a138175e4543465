"""`hector db`: what operators do to a database, by exit code and by word."""

import json
import os
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from hector_runtime.cli import hector
from hector_store.migrations import HEAD, KNOWN

CONFIG = """
storage:
  database: sqlite://hector.db
  retention: {runs: 1d}
agents:
  assistant: {}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty project, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hector.yaml").write_text(CONFIG)
    return tmp_path


def does(*words, code=0, said=None):
    done = CliRunner().invoke(hector, ["db", *words], input=said)
    assert done.exit_code == code, done.output
    return done.output


def facts(*words, code=0):
    return json.loads(does(*words, "-f", "json", code=code))


def sql(place, *statements):
    with closing(sqlite3.connect(place / "hector.db")) as connection:
        rows = [connection.execute(statement).fetchall() for statement in statements]
        connection.commit()
        return rows[-1]


@pytest.fixture
def filled(place):
    """A database with a run of Zoe's, two days old, of an agent that the config has."""
    does("upgrade")
    sql(
        place,
        """INSERT INTO runs (id, kind, app, owner, agent, context_id, context_position, parent, state,
           status_time, is_task, finished, revision, priority, worker, worker_target, epoch, lease_until,
           wake_at, deadline, attempt, next_seq, idempotency_hash, created_time, strategy_name,
           strategy_version, view, strategy_state)
           VALUES ('0198f3a2', 'turn', 'default', 'zoe', 'assistant', '', NULL, '', 'RUN_STATE_COMPLETED',
           (strftime('%s') - 172800) * 1000000, 1, 1, '', 0, '', '', 1, 0, 0, 0, 0, 1, '',
           (strftime('%s') - 172800) * 1000000, '', 0, x'', x'')""",
    )
    return place


def test_an_upgrade_tells_from_which_schema_to_which(place):
    file = place / "hector.db"
    would = facts("upgrade", "--dry-run")
    assert (would["from"], would["to"], would["migrations"]) == (None, HEAD, list(KNOWN))
    assert not file.exists()
    assert does("upgrade") == f"{file} went from schema none to {HEAD} ({', '.join(KNOWN)}).\n"
    assert does("upgrade") == f"{file} is up to date: schema {HEAD}.\n"
    sql(place, "UPDATE hector_schema SET version_num = '9999'")
    assert "made by a newer version" in does("upgrade", code=1)


def test_a_check_ends_with_a_code_that_scripts_can_use(filled):
    assert does("check") == f"{filled / 'hector.db'} is sound: schema {HEAD}, 1 run.\n"
    sql(filled, "UPDATE runs SET finished = 0, worker = 'w', agent = 'stranger'")
    found = facts("check", code=6)
    assert [(one["kind"], one["repairable"]) for one in found["findings"]] == [
        ("projection", True),
        ("unreachable", False),
    ]
    assert "--repair" in does("check", code=6)
    mended = facts("check", "--repair")
    assert [one["subject"] for one in mended["repaired"]] == ["run 0198f3a2"]
    assert mended["findings"] == []
    assert does("check", "--quick").endswith("1 run.\n")


def test_a_check_changes_nothing_it_is_not_asked_to(place):
    sql(place, "CREATE TABLE hector_schema (version_num TEXT)", "INSERT INTO hector_schema VALUES ('0003')")
    found = facts("check", code=6)
    assert "hector db upgrade" in found["findings"][0]["problem"]
    assert sql(place, "SELECT count(*) FROM sqlite_master") == [(1,)]


def test_what_is_not_there_is_not_made_by_looking(place):
    for words in (("check",), ("prune",), ("backup",), ("receipts",), ("erase", "--user", "zoe", "--yes")):
        assert "there is no database" in does(*words, code=1)
        assert {path.name for path in place.iterdir()} == {"hector.yaml"}


def test_a_damaged_file_is_named_with_the_way_back(filled):
    file = filled / "hector.db"
    does("backup", "good.db")
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(size - 8192))
    found = facts("check", code=6)
    assert found["findings"][0]["kind"] == "damaged"
    assert "restore a backup" in found["findings"][0]["problem"]
    assert "what was there is now" in does("restore", "good.db")
    assert does("check").endswith("is sound: schema " + HEAD + ", 1 run.\n")


def test_pruning_goes_by_the_config_unless_told_otherwise(filled):
    assert (
        does("prune", "--runs", "3d") == f"Nothing went: nothing in {filled / 'hector.db'} is old enough.\n"
    )
    assert does("prune", "--dry-run") == "1 run would go\n"
    assert facts("prune")["removed"] == {"runs": 1}
    assert "kept for ever" in does("prune", "--runs", "never")
    assert 'as 30d, 12h or "never"' in does("prune", "--runs", "soon", code=2)


def test_a_backup_is_not_written_over(filled):
    told = facts("backup", "copy.db")
    assert (told["runs"], told["schema"], told["file"]) == (1, HEAD, str(filled / "copy.db"))
    assert "is there already" in does("backup", "copy.db", code=1)
    assert "hector-2" in does("backup")  # a name of its own, with the time
    assert "--print-command is for databases on servers" in does("backup", "--print-command", code=2)


def test_erasing_asks_first_and_gives_a_receipt(filled):
    assert "Aborted" in does("erase", "--user", "zoe", said="n\n", code=1)
    receipt = facts("erase", "--user", "zoe", "--yes")
    assert receipt["counts"] == {"runs": 1}
    assert "zoe" not in json.dumps(receipt)
    assert [one["id"] for one in facts("receipts", "--user", "zoe")["receipts"]] == [receipt["id"]]
    assert facts("receipts", "--user", "bob")["receipts"] == []
    assert "done" in does("receipts")
    sql(filled, "UPDATE receipts SET done_time = done_time + 1")
    assert "changed since it was written" in does("receipts")


def test_of_a_server_the_command_is_said_without_its_password(place):
    server = ("--database", "postgres://hector:s3cret@db.example.com/hector")
    command = does("backup", "x.dump", "--print-command", *server)
    assert command.startswith("pg_dump --format=custom --host=db.example.com --port=5432 --username=hector")
    assert "s3cret" not in command
    told = does("restore", "x.dump", *server, code=1)
    assert "pg_restore --clean --if-exists" in told
    assert "s3cret" not in told

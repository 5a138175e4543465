"""The schema's history, for Alembic. A revision that was released is never edited."""

VERSION_TABLE = "hector_schema"
"""Holds the revision that a database has."""

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision, oldest first. Here so that opening a current database needs no Alembic."""

HEAD = KNOWN[-1]

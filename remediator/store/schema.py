"""Brings a database to the schema of this version, or says why it cannot.

A new database gets the tables straight from the metadata, and one that is up to date gets
nothing: Alembic is only loaded where there is something to migrate, because it takes longer to
load than a start may take.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from remediator.store.errors import StoreError
from remediator.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0001"
"""The newest revision in `migrations/versions`."""

_MIGRATIONS = Path(__file__).with_name("migrations")

# As Alembic makes it.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def prepare(connection: "Connection", path: str) -> None:
    """Create or migrate the tables inside the connection's transaction.

    Raises StoreError if the database is of a newer version, or somebody else's.
    """
    revision = revision_of(connection, path)
    if revision is None:
        metadata.create_all(connection, checkfirst=False)
        _version.create(connection)
        connection.execute(insert(_version).values(version_num=HEAD))
    elif revision != HEAD:
        migrate(connection, path)


def revision_of(connection: "Connection", path: str) -> str | None:
    """The schema's revision; None for an empty database. StoreError if it is somebody else's."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    revision = connection.scalar(select(_version)) if _version.name in tables else None
    if revision is None:
        raise StoreError(
            f"store {path}: this database holds tables that are not Remediator's ({tables[0]}, ...); "
            "give the store a path of its own"
        )
    return str(revision)


def migrate(connection: "Connection", path: str) -> None:
    """Run the migrations from the revision that the database has up to HEAD."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreError(
            f"store {path}: its schema has the revision {revision}, which this version of Remediator "
            f"does not know (its newest is {HEAD}); install the version that wrote it, or a newer one"
        )
    command.upgrade(config, "head")

"""The history of the tables' shape, run by Alembic when a registry is opened."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from registry.database import Registry
from registry.errors import SchemaTooNew


def upgrade(registry: Registry) -> None:
    """Bring the tables to this version's shape; of two that open a new registry at once, one does it.

    Raises:
        SchemaTooNew: when a newer Fairtrial has been here, for we would not understand its tables.
    """
    with registry.reading() as connection:
        if _is_current(connection):
            return
    with registry.writing() as connection:  # whoever comes second finds nothing left to do
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def configuration() -> Config:
    """Alembic's settings, made here so that an installed wheel needs no ini file."""
    config = Config()
    # A percent sign in a path would be read as an interpolation by the configuration parser.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _is_current(connection: Connection) -> bool:
    scripts = ScriptDirectory.from_config(configuration())
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNew(
            f"the registry's tables have revision {current!r}, which this Fairtrial does not know; a newer "
            "one opened it: install that version or a later one. Nothing was changed"
        )
    return current == scripts.get_current_head()

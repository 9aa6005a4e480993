"""What the commands share: errors as sentences, and the way to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from ..database.embedded import EmbeddedServerError, borrow_server
from ..database.migrate import MigrationError
from ..database.sql_files import SqlFilesError
from ..home import HOME
from ..settings import Settings, SettingsError
from ..signals import StopSignals

# What a database without our schema, or with an older one, answers.
NOT_MIGRATED = frozenset({"3F000", "42P01", "42883"})


class Failure(click.ClickException):
    """Ends the command with a sentence for people."""


class WrongSettings(Failure):
    exit_code = 2


class Interrupted(Failure):
    exit_code = 130


class Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as exc:
            raise WrongSettings(str(exc)) from None
        except (EmbeddedServerError, MigrationError, SqlFilesError) as exc:
            raise Failure(str(exc)) from None
        except psycopg.Error as exc:
            raise Failure(_explain(exc)) from None
        except KeyboardInterrupt:
            raise Interrupted("Stopped.") from None


def _explain(exc: psycopg.Error) -> str:
    if exc.sqlstate in NOT_MIGRATED:
        return "The database is not up to date: run `wallet migrate` first."
    if exc.sqlstate:
        return f"The database refused: {exc.diag.message_primary} (SQLSTATE {exc.sqlstate})."
    return f"The database can't be reached: {str(exc).splitlines()[0]}."


@contextmanager
def database(signals: StopSignals, *, must_exist: bool = True) -> Iterator[str]:
    """The URL of the database: DATABASE_URL's, or the embedded one, running or started for now."""
    settings = Settings.load()
    if settings.database_url:
        yield settings.database_url.get_secret_value()
        return
    if must_exist and not (HOME / "data").exists():
        raise Failure(
            f"There is no database in {HOME}: start `wallet run` here once, or set DATABASE_URL."
        )
    with borrow_server(HOME) as server:
        try:
            yield server.ensure_database()
        finally:
            signals.ignore()


@contextmanager
def connect(signals: StopSignals) -> Iterator[psycopg.Connection]:
    with (
        database(signals) as url,
        psycopg.connect(url, autocommit=True, connect_timeout=10) as connection,
    ):
        yield connection

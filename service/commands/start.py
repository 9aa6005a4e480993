"""Commands that start something: everything, one process, the demo, the migrations."""

from __future__ import annotations

import click

from ..database.migrate import migrate, rollback
from ..demo import play
from ..run import run, serve
from ..settings import ServiceSettings, Settings
from ..signals import StopSignals
from .base import Failure, database


@click.command("run")
@click.pass_obj
def run_command(signals: StopSignals) -> None:
    """Start everything: database, migrations, service."""
    run(Settings.load(), signals)


@click.command("serve")
@click.pass_obj
def serve_command(signals: StopSignals) -> None:
    """Start the HTTP service alone, against DATABASE_URL."""
    serve(ServiceSettings.load(), signals)


@click.command("demo")
@click.pass_obj
def demo_command(signals: StopSignals) -> None:
    """Play the main job once through the real HTTP service."""
    if not play(Settings.load(), signals):
        raise Failure("The demo did not go as it should.")


@click.command("migrate")
@click.pass_obj
def migrate_command(signals: StopSignals) -> None:
    """Bring the database to the current schema and functions."""
    with database(signals, must_exist=False) as url:
        report = migrate(url)
    for migration in report.applied:
        click.echo(f"Applied {migration}.")
    for warning in report.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"The database is up to date, with {report.functions} functions.")


@click.command("rollback")
@click.pass_obj
def rollback_command(signals: StopSignals) -> None:
    """Undo the last migration."""
    with database(signals) as url:
        report = rollback(url)
    if report.rolled_back is None:
        raise Failure("There is no migration to undo.")
    click.echo(f"Undid {report.rolled_back}.")

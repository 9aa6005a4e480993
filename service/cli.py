"""The command `wallet`."""

from __future__ import annotations

import click

from . import __version__
from .commands.base import Commands
from .commands.operate import replay_command, verify_command
from .commands.send_test_event import send_test_event_command
from .commands.start import (
    demo_command,
    migrate_command,
    rollback_command,
    run_command,
    serve_command,
)
from .signals import StopSignals


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="wallet")
@click.pass_context
def main(context: click.Context) -> None:
    """Prepaid wallets in PostgreSQL, topped up through Stripe.

    DATABASE_URL names the database. Without it the commands use an embedded
    PostgreSQL, whose data lie in .pgwallet below the current directory.
    """
    context.obj = StopSignals().install()


for command in (
    run_command,
    serve_command,
    demo_command,
    migrate_command,
    rollback_command,
    replay_command,
    verify_command,
    send_test_event_command,
):
    main.add_command(command)

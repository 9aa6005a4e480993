"""The command `wallet`."""

from __future__ import annotations

import click

from . import __version__
from .commands.backfill import backfill_command
from .commands.base import Commands
from .commands.doctor import doctor_command
from .commands.failures import failures_command
from .commands.operate import replay_command, verify_command
from .commands.reconcile import reconcile_command
from .commands.register_webhook import register_webhook_command
from .commands.sandbox import sandbox_command
from .commands.send_test_event import send_test_event_command
from .commands.start import (
    demo_command,
    migrate_command,
    rollback_command,
    run_command,
    serve_command,
)
from .commands.topup import topup_command
from .commands.worker import worker_command
from .signals import StopSignals


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="wallet")
@click.pass_context
def main(context: click.Context) -> None:
    """Prepaid wallets in PostgreSQL, topped up through Stripe and spent by the second.

    DATABASE_URL names the database. Without it the commands use an embedded
    PostgreSQL, whose data lie in .pgwallet below the current directory.
    """
    context.obj = StopSignals().install()


for command in (
    run_command,
    serve_command,
    worker_command,
    sandbox_command,
    demo_command,
    migrate_command,
    rollback_command,
    failures_command,
    replay_command,
    verify_command,
    send_test_event_command,
    topup_command,
    backfill_command,
    reconcile_command,
    register_webhook_command,
    doctor_command,
):
    main.add_command(command)

"""`wallet worker`: every errand in the background, as a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import click

from ..logs import configure_logging
from ..settings import WorkerSettings
from ..signals import StopSignals
from ..worker.work import work


@click.command("worker")
@click.pass_obj
def worker_command(signals: StopSignals) -> None:
    """Deliver alerts, make automatic recharges and reconcile calls, against DATABASE_URL."""
    settings = WorkerSettings.load()
    configure_logging()
    with suppress(KeyboardInterrupt):
        asyncio.run(_work_until_stopped(settings, signals))


async def _work_until_stopped(settings: WorkerSettings, signals: StopSignals) -> None:
    await work(settings, signals.set_event())

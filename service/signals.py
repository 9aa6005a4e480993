"""Ctrl-C, SIGTERM and a closed terminal: each ends the program in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Self


class StopSignals:
    """What a signal to stop does: interrupt, or set an event, or nothing any more."""

    def __init__(self) -> None:
        self._act: Callable[[], object] = _interrupt

    def install(self) -> Self:
        stop_signals = [signal.SIGINT, signal.SIGTERM]
        # Under nohup a closed terminal shall not end the program.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            stop_signals.append(signal.SIGHUP)
        for number in stop_signals:
            signal.signal(number, self._on_signal)
        return self

    def set_event(self) -> asyncio.Event:
        """From now on the running loop learns of a signal by this event."""
        event = asyncio.Event()
        loop = asyncio.get_running_loop()

        def set_once() -> None:
            self._act = _nothing
            loop.call_soon_threadsafe(event.set)

        self._act = set_once
        return event

    def ignore(self) -> None:
        """From now on nothing interrupts the stopping."""
        self._act = _nothing

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._act()


def _interrupt() -> None:
    raise KeyboardInterrupt


def _nothing() -> None:
    pass

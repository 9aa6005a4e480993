"""What a worker calls itself where it claims work: no two that live have the same name."""

from __future__ import annotations

import os
import secrets
import socket


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

"""Signed webhooks by the thousand, on the service as it runs in production."""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from service.http.app import STRIPE_WEBHOOK_PATH
from service.run import SERVICE_ROLE, ensure_service_role
from service.sandbox import events

WHSEC = "whsec_of_the_bench"


class WebhookLoad:
    """The service while it is measured. The load comes from this process, on the same cores."""

    def __init__(self, database_url: str, *, connections: int) -> None:
        ensure_service_role(database_url)
        self.connections = connections
        self.latencies: list[float] = []
        environment = {
            **os.environ,
            "DATABASE_URL": database_url.replace("//postgres@", f"//{SERVICE_ROLE}@", 1),
            "STRIPE_WEBHOOK_SECRET": WHSEC,
            "HOST": "127.0.0.1",
            "PORT": "0",
        }
        self.log = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed on exit
        self.service = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"], env=environment, stderr=self.log
        )

    def __enter__(self) -> Self:
        while not (found := re.search(r'"url": "http://(.*?)"', self._logged())):
            if self.service.poll() is not None:
                sys.exit("The service did not start: " + self._logged())
            time.sleep(0.05)
        address = urlsplit("//" + found[1])
        self.host, self.port = address.hostname, address.port
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.service.terminate()
        self.service.wait(30)
        self.log.close()

    def _logged(self) -> str:
        return Path(self.log.name).read_text()

    def requests(self, seconds: float) -> float:
        """Payments credited a second, every one of them a new signed event."""
        started = time.perf_counter()
        count = asyncio.run(self._load(started + seconds))
        return count / (time.perf_counter() - started)

    @property
    def p50(self) -> float:
        return sorted(self.latencies)[len(self.latencies) // 2] * 1000

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[len(self.latencies) * 99 // 100] * 1000

    @property
    def memory_mib(self) -> float:
        """The most that the service has held, as Linux tells it."""
        status = Path(f"/proc/{self.service.pid}/status").read_text()
        [kib] = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(kib) / 1024

    async def _load(self, until: float) -> int:
        return sum(await asyncio.gather(*(self._client(until) for _ in range(self.connections))))

    async def _client(self, until: float) -> int:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        count = 0
        while time.perf_counter() < until:
            body = new_payment()
            head = (
                f"POST {STRIPE_WEBHOOK_PATH} HTTP/1.1\r\nHost: {self.host}\r\n"
                f"Content-Length: {len(body)}\r\n"
                f"Stripe-Signature: {events.sign(body, WHSEC)}\r\n\r\n"
            )
            started = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            [length] = re.findall(rb"Content-Length: (\d+)", answer)
            answer += await reader.readexactly(int(length))
            self.latencies.append(time.perf_counter() - started)
            if b'"processed"' not in answer:
                sys.exit(f"A webhook was not processed: {answer.decode()}")
            count += 1
        writer.close()
        await writer.wait_closed()
        return count


def template() -> bytes:
    """A real event of the full size, with three marks in it."""
    session = events.checkout_session(
        org_id="00000000-0000-0000-0000-ORGANISATION",
        amount_pence=5000,
        session_id="cs_PAYMENT",
        payment_intent_id="pi_PAYMENT",
    )
    return events.encode(
        events.event("checkout.session.completed", session, event_id="evt_PAYMENT")
    )


TEMPLATE = template()


def new_payment() -> bytes:
    number = random.randrange(10**18, 10**19)  # noqa: S311
    org = 100000000001 + number % 100000
    body = TEMPLATE.replace(b"ORGANISATION", b"%d" % org)
    return body.replace(b"PAYMENT", b"%d" % number)

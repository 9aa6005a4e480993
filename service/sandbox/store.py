"""What the sandbox knows, in SQLite: it outlives the process, however that ends."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .events import StripeObject

SCHEMA = """
    -- Every object of the API, events included, in the order of their creation.
    create table if not exists objects (
        number  integer primary key,
        id      text not null unique,
        kind    text not null,
        body    text not null,
        -- What the API doesn't show, such as the number of a card.
        private text not null default '{}'
    );
    create index if not exists objects_kind on objects (kind, number);
    create index if not exists objects_payment_intent
        on objects (kind, json_extract(body, '$.payment_intent'));

    -- The first answer to each idempotency key.
    create table if not exists answers (
        key         text primary key,
        path        text not null,
        fingerprint text not null,
        status      integer not null,
        body        text not null,
        created     integer not null
    );

    -- One row an event and endpoint, and one more for each copy that was asked for.
    create table if not exists deliveries (
        number      integer primary key,
        event_id    text not null,
        endpoint_id text not null,
        state       text not null check (state in ('pending', 'under_way', 'delivered', 'dropped')),
        attempts    integer not null default 0,
        next_try    real not null,
        last_status integer
    );
    create index if not exists deliveries_event on deliveries (event_id);
    create index if not exists deliveries_pending on deliveries (next_try)
        where state = 'pending';

    -- Vapi's calls, by the time of their creation in UTC.
    create table if not exists vapi_calls (
        id         text primary key,
        created_at text not null,
        body       text not null
    );
    create index if not exists vapi_calls_created_at on vapi_calls (created_at, id);

    -- Where Vapi sends its reports to.
    create table if not exists vapi_server (url text not null, secret text not null);

    -- How far the clock was put forward.
    create table if not exists clock (ahead integer not null);
    insert into clock select 0 where not exists (select 1 from clock);

    -- What was under way when the last process ended.
    update deliveries set state = 'pending' where state = 'under_way';
"""


class StoreInUse(Exception):
    pass


class Store:
    def __init__(self, folder: Path | None) -> None:
        """In this folder, or in memory."""
        if folder:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "stripe.sqlite3" if folder else ":memory:"
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            # One process alone; its locks end with it.
            self.connection.execute("pragma locking_mode = exclusive")
            self.connection.execute("pragma journal_mode = wal")
            self.connection.execute("pragma synchronous = normal")
            self.connection.executescript(SCHEMA)
        except sqlite3.OperationalError as exc:
            self.connection.close()
            if "locked" in str(exc):
                raise StoreInUse(f"Another sandbox works in {folder}.") from None
            raise
        [(ahead,)] = self.connection.execute("select ahead from clock")
        self._ahead = int(ahead)

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def now(self) -> int:
        return int(time.time()) + self._ahead

    def put_clock_forward(self, seconds: int) -> None:
        self._ahead += seconds
        self.connection.execute("update clock set ahead = ?", [self._ahead])

    def insert(self, body: StripeObject, private: Mapping[str, Any] | None = None) -> None:
        self.connection.execute(
            "insert into objects (id, kind, body, private) values (?, ?, ?, ?)",
            [body["id"], body["object"], json.dumps(body), json.dumps(private or {})],
        )

    def update(self, body: StripeObject) -> None:
        self.connection.execute(
            "update objects set body = ? where id = ?", [json.dumps(body), body["id"]]
        )

    def delete(self, object_id: str) -> None:
        self.connection.execute("delete from objects where id = ?", [object_id])

    def get(self, kind: str, object_id: str) -> StripeObject | None:
        row = self.connection.execute(
            "select body from objects where id = ? and kind = ?", [object_id, kind]
        ).fetchone()
        return json.loads(row[0]) if row else None

    def get_any(self, object_id: str) -> StripeObject | None:
        row = self.connection.execute(
            "select body from objects where id = ?", [object_id]
        ).fetchone()
        return json.loads(row[0]) if row else None

    def private(self, object_id: str) -> dict[str, Any]:
        row = self.connection.execute(
            "select private from objects where id = ?", [object_id]
        ).fetchone()
        return dict(json.loads(row[0])) if row else {}

    def set_private(self, object_id: str, **fields: Any) -> None:
        self.connection.execute(
            "update objects set private = ? where id = ?",
            [json.dumps({**self.private(object_id), **fields}), object_id],
        )

    def select(
        self,
        kind: str,
        condition: str = "true",
        parameters: list[Any] | None = None,
        *,
        order: str = "number desc",
        limit: int = -1,
    ) -> list[StripeObject]:
        """The objects of this kind for which an SQL condition holds, the newest first."""
        rows = self.connection.execute(
            f"select body from objects where kind = ? and ({condition}) order by {order} limit ?",  # noqa: S608
            [kind, *(parameters or []), limit],
        )
        return [json.loads(body) for (body,) in rows]

    def number(self, kind: str, object_id: str) -> int | None:
        """The object's place in the order of creation."""
        row = self.connection.execute(
            "select number from objects where id = ? and kind = ?", [object_id, kind]
        ).fetchone()
        return int(row[0]) if row else None

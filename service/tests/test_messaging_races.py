"""Sessions that meet at one message or one phone number, and must not miss each other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .services import balance, locked_wallet, open_wallet, wait_for_lock
from .test_races import wait_for_waiters

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Telling = Callable[[Connection], dict[str, Any]]

SID = "SM" + "0" * 32
NUMBER = "+442079460000"
PRICE = 4  # of a segment
NUMBER_PRICE = 395
ENDS = ("delivered", "undelivered", "failed", "canceled")
SESSIONS = 8


def call(connection: Connection, query: LiteralString, *args: Any) -> dict[str, Any]:
    [(answer,)] = connection.execute(query, args).fetchall()
    assert isinstance(answer, dict)
    return answer


def charge(
    connection: Connection, org_id: UUID, message_id: str = "m", sid: str | None = None
) -> dict[str, Any]:
    return call(connection, "select wallet.charge_sms(%s, %s, 1, %s)", org_id, message_id, sid)


def attach(
    connection: Connection, org_id: UUID, message_id: str = "m", sid: str = SID
) -> dict[str, Any]:
    return call(connection, "select wallet.attach_sms_sid(%s, %s, %s)", org_id, message_id, sid)


def tell(
    connection: Connection,
    status: str,
    sid: str = SID,
    org_id: UUID | None = None,
    message_id: str = "m",
) -> dict[str, Any]:
    """Twilio's callback, whose URL names the message if an organization is given."""
    callback = {"MessageSid": sid, "MessageStatus": status}
    if org_id:
        callback |= {"org_id": str(org_id), "message_id": message_id}
    return call(connection, "select wallet.record_sms_status(%s)", Jsonb(callback))


def provision(
    connection: Connection, org_id: UUID, key: str = "number", number: str = NUMBER
) -> dict[str, Any]:
    query: LiteralString = "select wallet.provision_phone_number(%s, %s, %s)"
    return call(connection, query, org_id, number, key)


def bought_number(connection: Connection, org_id: UUID) -> UUID:
    """An active number with a managed credential."""
    credential = call(connection, "select wallet.set_credential(%s, 'vapi', 'cred', true)", org_id)[
        "credential_id"
    ]
    provision(connection, org_id)
    query: LiteralString = (
        "select wallet.complete_phone_provisioning(%s, 'number', 'PN1', %s::uuid)"
    )
    return UUID(call(connection, query, org_id, credential)["phone_number_id"])


def release(connection: Connection, org_id: UUID, number_id: UUID) -> dict[str, Any]:
    query: LiteralString = "select wallet.release_phone_number(%s, %s, 'operator')"
    return call(connection, query, org_id, number_id)


def set_agent(
    connection: Connection, org_id: UUID, agent_id: UUID, number_id: UUID
) -> dict[str, Any]:
    query: LiteralString = "select wallet.set_agent(%s, %s, 'Ann', null, %s)"
    return call(connection, query, org_id, agent_id, number_id)


def message(connection: Connection, org_id: UUID, message_id: str = "m") -> tuple[str | None, bool]:
    """Its status, and whether its charge was given back."""
    [(status, given_back)] = connection.execute(
        """
        select status, refund_transaction_id is not null from wallet.sms_messages
         where org_id = %s and message_id = %s
        """,
        [org_id, message_id],
    ).fetchall()
    return status, given_back


def count(connection: Connection, query: LiteralString, *args: Any) -> int:
    [(number,)] = connection.execute(query, args).fetchall()
    return int(number)


def parked(connection: Connection) -> int:
    return count(connection, "select count(*) from wallet.sms_callbacks")


def stale_references(connection: Connection) -> int:
    """Agents of a number that is not active, and numbers of a credential that is gone."""
    return count(
        connection,
        """
        select
            (
                select count(*) from wallet.agents as a
                  left join wallet.phone_numbers as n
                         on (n.org_id, n.id) = (a.org_id, a.phone_number_id)
                 where a.phone_number_id is not null and n.status is distinct from 'active'
            ) + (
                select count(*) from wallet.phone_numbers as n
                  left join wallet.org_credentials as c
                         on (c.org_id, c.id) = (n.org_id, n.credential_id)
                 where n.credential_id is not null and (c.id is null or n.status <> 'active')
            )
        """,
    )


async def one_after_the_other(
    judge: Connection,
    first: tuple[Connection, Telling],
    second: tuple[Connection, Telling],
    *,
    commit: bool = True,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The second begins when the first is done but not committed, and has to wait for it."""
    session, telling = first
    with transaction(session, commit=commit):
        told_first = telling(session)
        told_second = asyncio.create_task(asyncio.to_thread(second[1], second[0]))
        await wait_for_lock(judge)
    return told_first, await told_second


@contextmanager
def transaction(session: Connection, *, commit: bool) -> Iterator[None]:
    with session.transaction(force_rollback=not commit):
        yield


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize("sid", [SID, None], ids=["known", "new"])
def test_the_same_failure_told_twice_at_once_gives_back_once(
    connect: Connect, sid: str | None, named: bool
) -> None:
    judge, blocker, *sessions = (connect() for _ in range(2 + SESSIONS))
    org_id = open_wallet(judge, balance_pence=1000)
    charge(judge, org_id, sid=sid)
    if not named and not sid:
        attach(judge, org_id)

    with ThreadPoolExecutor(SESSIONS) as pool:
        with locked_wallet(blocker, org_id):
            told = [
                pool.submit(tell, session, "failed", org_id=org_id if named else None)
                for session in sessions
            ]
            wait_for_waiters(judge, SESSIONS)
        outcomes = Counter(future.result()["outcome"] for future in told)

    assert outcomes == {"processed": 1, "duplicate": SESSIONS - 1}
    assert balance(judge, org_id) == 1000
    assert message(judge, org_id) == ("failed", True)
    assert parked(judge) == 0


@pytest.mark.parametrize("charged_first", [True, False], ids=["charge first", "status first"])
async def test_a_charge_and_its_failure_at_once_do_not_miss_each_other(
    connect: Connect, charged_first: bool
) -> None:
    judge, charging, telling = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)
    pair = [
        (charging, lambda session: charge(session, org_id, sid=SID)),
        (telling, lambda session: tell(session, "failed")),
    ]

    await one_after_the_other(judge, *(pair if charged_first else reversed(pair)))

    assert message(judge, org_id) == ("failed", True)
    assert balance(judge, org_id) == 1000
    assert parked(judge) == 0


@pytest.mark.parametrize("attached_first", [True, False], ids=["id first", "status first"])
async def test_a_twilio_id_and_its_failure_at_once_do_not_miss_each_other(
    connect: Connect, attached_first: bool
) -> None:
    judge, attaching, telling = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)
    charge(judge, org_id)
    pair = [
        (attaching, lambda session: attach(session, org_id)),
        (telling, lambda session: tell(session, "failed")),
    ]

    await one_after_the_other(judge, *(pair if attached_first else reversed(pair)))

    assert message(judge, org_id) == ("failed", True)
    assert parked(judge) == 0


async def test_a_failure_that_names_its_message_waits_for_the_charge(connect: Connect) -> None:
    judge, charging, telling = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)

    _, told = await one_after_the_other(
        judge,
        (charging, lambda session: charge(session, org_id)),
        (telling, lambda session: tell(session, "failed", org_id=org_id)),
    )

    assert told["outcome"] == "processed"
    assert message(judge, org_id) == ("failed", True)
    assert balance(judge, org_id) == 1000


async def test_a_charge_waits_for_a_failure_that_names_its_message(connect: Connect) -> None:
    judge, charging, telling = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)

    _, charged = await one_after_the_other(
        judge,
        (telling, lambda session: tell(session, "failed", org_id=org_id)),
        (charging, lambda session: charge(session, org_id)),
    )

    assert charged["refunded_pence"] == PRICE
    assert balance(judge, org_id) == 1000
    assert parked(judge) == 0


async def test_a_failure_is_kept_when_the_charge_that_it_waited_for_is_undone(
    connect: Connect,
) -> None:
    judge, charging, telling = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)

    _, told = await one_after_the_other(
        judge,
        (charging, lambda session: charge(session, org_id, sid=SID)),
        (telling, lambda session: tell(session, "failed")),
        commit=False,
    )

    assert told["outcome"] == "pending"
    assert charge(judge, org_id, sid=SID)["refunded_pence"] == PRICE
    assert balance(judge, org_id) == 1000


async def test_one_message_charged_twice_at_once_is_charged_once(connect: Connect) -> None:
    judge, first, second = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)

    def telling(session: Connection) -> dict[str, Any]:
        return charge(session, org_id)

    original, replay = await one_after_the_other(judge, (first, telling), (second, telling))

    assert replay == original | {"duplicate": True}
    assert balance(judge, org_id) == 1000 - PRICE


async def test_two_messages_at_once_do_not_get_the_same_twilio_id(connect: Connect) -> None:
    judge, first, second = connect(), connect(), connect()
    mine, theirs = open_wallet(judge, balance_pence=1000), open_wallet(judge, balance_pence=1000)

    _, refused = await one_after_the_other(
        judge,
        (first, lambda session: charge(session, mine, sid=SID)),
        (second, lambda session: charge(session, theirs, sid=SID)),
    )

    assert refused["error"] == "idempotency_conflict"
    assert balance(judge, theirs) == 1000


@pytest.mark.parametrize("seed", range(4))
def test_statuses_in_any_order_from_many_sessions_end_alike(connect: Connect, seed: int) -> None:
    """Charges, Twilio ids and statuses of forty messages, each told twice, in eight sessions."""
    random = Random(seed)  # noqa: S311
    judge, *sessions = (connect() for _ in range(1 + SESSIONS))
    orgs = [open_wallet(judge, balance_pence=1000) for _ in range(2)]
    ends: dict[tuple[UUID, str], str] = {}
    tellings: list[Telling] = []
    for number in range(40):
        org_id, message_id, sid = random.choice(orgs), f"m{number}", f"SM{seed}-{number}"
        end = ends[org_id, message_id] = random.choice(ENDS)
        named = random.random() < 0.5
        statuses = [
            *("queued", "sending", "sent"),
            *(["read"] if end == "delivered" and random.random() < 0.5 else [end]),
        ]
        ends[org_id, message_id] = statuses[-1]
        tellings += 2 * [
            *(teller(status, sid, org_id if named else None, message_id) for status in statuses),
            charger(org_id, message_id, sid if random.random() < 0.5 else None),
            attacher(org_id, message_id, sid),
        ]
    random.shuffle(tellings)

    with ThreadPoolExecutor(SESSIONS) as pool:
        shares = [tellings[start::SESSIONS] for start in range(SESSIONS)]
        list(pool.map(tell_all, sessions, shares))
    # A Twilio id is refused before its message is charged, and told again then.
    for org_id, message_id in ends:
        attach(judge, org_id, message_id, f"SM{seed}-{message_id[1:]}")

    for (org_id, message_id), end in ends.items():
        assert message(judge, org_id, message_id) == (end, end not in ("delivered", "read"))
    for org_id in orgs:
        kept = [end for (owner, _), end in ends.items() if owner == org_id]
        charged = sum(end in ("delivered", "read") for end in kept)
        assert balance(judge, org_id) == 1000 - PRICE * charged
    assert parked(judge) == 0


def tell_all(session: Connection, tellings: list[Telling]) -> None:
    for telling in tellings:
        telling(session)


def teller(status: str, sid: str, org_id: UUID | None, message_id: str) -> Telling:
    return lambda session: tell(session, status, sid, org_id, message_id)


def charger(org_id: UUID, message_id: str, sid: str | None) -> Telling:
    return lambda session: charge(session, org_id, message_id, sid)


def attacher(org_id: UUID, message_id: str, sid: str) -> Telling:
    return lambda session: attach(session, org_id, message_id, sid)


@pytest.mark.parametrize("commit", [True, False], ids=["bought", "undone"])
async def test_one_number_is_provisioned_for_one_of_two_organizations_at_once(
    connect: Connect, commit: bool
) -> None:
    judge, first, second = connect(), connect(), connect()
    mine, theirs = open_wallet(judge, balance_pence=1000), open_wallet(judge, balance_pence=1000)

    _, told = await one_after_the_other(
        judge,
        (first, lambda session: provision(session, mine)),
        (second, lambda session: provision(session, theirs)),
        commit=commit,
    )

    assert told["success"] is not commit
    assert told.get("error") == ("number_in_use" if commit else None)
    assert {balance(judge, mine), balance(judge, theirs)} == {1000, 1000 - NUMBER_PRICE}
    assert count(judge, "select count(*) from wallet.phone_numbers") == 1


async def test_one_number_requested_twice_at_once_is_charged_once(connect: Connect) -> None:
    judge, first, second = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)

    def telling(session: Connection) -> dict[str, Any]:
        return provision(session, org_id)

    original, replay = await one_after_the_other(judge, (first, telling), (second, telling))

    assert replay == original | {"duplicate": True}
    assert balance(judge, org_id) == 1000 - NUMBER_PRICE


@pytest.mark.parametrize("completed_first", [True, False], ids=["completed", "failed"])
async def test_a_number_is_completed_or_given_back_and_never_both(
    connect: Connect, completed_first: bool
) -> None:
    judge, first, second = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)
    provision(judge, org_id)
    pair: list[tuple[Connection, Telling]] = [
        (
            first,
            lambda session: call(
                session, "select wallet.complete_phone_provisioning(%s, 'number', 'PN1')", org_id
            ),
        ),
        (
            second,
            lambda session: call(
                session, "select wallet.fail_phone_provisioning(%s, 'number', 'taken')", org_id
            ),
        ),
    ]

    _, refused = await one_after_the_other(judge, *(pair if completed_first else pair[::-1]))

    assert refused["error"] == "number_not_provisioning"
    assert balance(judge, org_id) == (1000 - NUMBER_PRICE if completed_first else 1000)


@pytest.mark.parametrize("released_first", [True, False], ids=["release first", "agent first"])
async def test_a_release_and_an_agent_at_once_leave_no_stale_reference(
    connect: Connect, released_first: bool
) -> None:
    judge, releasing, linking = connect(), connect(), connect()
    org_id, agent_id = open_wallet(judge, balance_pence=1000), uuid4()
    number_id = bought_number(judge, org_id)
    pair: list[tuple[Connection, Telling]] = [
        (releasing, lambda session: release(session, org_id, number_id)),
        (linking, lambda session: set_agent(session, org_id, agent_id, number_id)),
    ]

    first, second = await one_after_the_other(judge, *(pair if released_first else pair[::-1]))

    released, linked = (first, second) if released_first else (second, first)
    assert len(released["deleted_credentials"]) == 1
    if released_first:
        assert linked["error"] == "number_not_active"
        assert released["unlinked_agents"] == []
    else:
        assert linked["success"]
        assert released["unlinked_agents"] == [str(agent_id)]
    assert stale_references(judge) == 0


async def test_a_release_and_a_number_that_takes_its_credential_at_once(connect: Connect) -> None:
    judge, releasing, completing = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)
    number_id = bought_number(judge, org_id)
    [(credential_id,)] = judge.execute("select id from wallet.org_credentials").fetchall()
    provision(judge, org_id, "another", "+442079460001")
    query: LiteralString = "select wallet.complete_phone_provisioning(%s, 'another', 'PN2', %s)"

    released, completed = await one_after_the_other(
        judge,
        (releasing, lambda session: release(session, org_id, number_id)),
        (completing, lambda session: call(session, query, org_id, credential_id)),
    )

    assert [c["credential_id"] for c in released["deleted_credentials"]] == [str(credential_id)]
    assert completed["error"] == "credential_not_found"
    assert stale_references(judge) == 0


async def test_a_number_released_twice_at_once_is_released_once(connect: Connect) -> None:
    judge, first, second = connect(), connect(), connect()
    org_id = open_wallet(judge, balance_pence=1000)
    number_id = bought_number(judge, org_id)

    def telling(session: Connection) -> dict[str, Any]:
        return release(session, org_id, number_id)

    told = await one_after_the_other(judge, (first, telling), (second, telling))

    assert [answer["duplicate"] for answer in told] == [False, True]
    assert [len(answer["deleted_credentials"]) for answer in told] == [1, 1], "both tell of it"
    assert stale_references(judge) == 0

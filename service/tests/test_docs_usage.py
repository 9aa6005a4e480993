"""What the documentation says of usage, calls and messages, held against the database."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from .docs import CODE, Connection, codes, table
from .docs_examples import read


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def test_each_service_is_documented_with_its_price(connection: Connection) -> None:
    services = connection.execute(
        """
        select s.service, trim_scale(p.unit_price)::text, s.charged_by, s.entry_type
          from wallet.services as s join wallet.prices as p on p.service = s.priced_as
        """
    ).fetchall()
    documented = [
        (
            *CODE.findall(service),
            *re.findall(r"^\d+(?= US cents?\b)", price),
            CODE.findall(charged_by)[0],
            *CODE.findall(entry_type),
        )
        for service, _measured_in, price, _debt, charged_by, entry_type in table(
            "docs/usage.md", "Prices"
        )
    ]
    assert sorted(documented) == sorted(services)


def test_each_unit_of_a_price_is_documented(connection: Connection) -> None:
    units = connection.execute("select unit from wallet.price_units").fetchall()
    paragraph = read("docs/usage.md").split("### Change a price\n")[1].split("```")[0]
    assert {unit for (unit,) in units} == set(CODE.findall(paragraph)) - {"wallet.price_units"}


def test_each_status_of_a_message_is_documented_in_its_order(connection: Connection) -> None:
    [(statuses,)] = connection.execute("select wallet.sms_statuses()").fetchall()
    documented = codes(table("docs/messages.md", "Twilio reports"))
    assert set(documented) == set(statuses)
    assert documented[:-5] == statuses[:-5]  # the others are final


def test_each_setting_of_calls_is_documented_with_its_value(connection: Connection) -> None:
    [(parameters,)] = connection.execute(
        "select proargnames from pg_proc where proname = 'configure_calls'"
    ).fetchall()
    rows = table("docs/calls.md", "Settings")
    assert codes(rows) == [name for name in parameters if name != "p_actor"]
    [(settings,)] = connection.execute("select wallet.configure_calls('ann')").fetchall()
    for name, value, _meaning in rows:
        given = settings[CODE.findall(name)[0].removeprefix("p_")]
        assert str(given).startswith(value), name

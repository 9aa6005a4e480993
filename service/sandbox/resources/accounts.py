"""https://docs.stripe.com/api/accounts"""

from __future__ import annotations

from .. import events
from ..call import Call
from ..events import StripeObject


def retrieve(call: Call) -> StripeObject:
    """The one account of this sandbox."""
    accounts = call.store.select("account")
    if accounts:
        return accounts[0]
    return call.add(events.account(account_id=events.new_id("acct", 16), created=call.now))

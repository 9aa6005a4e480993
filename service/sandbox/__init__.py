"""The stand-in for the part of Stripe's API that we use, without keys and for tests.

`app` starts it, `api` says which of the `resources` answers a request, `pages` is where a
customer pays, and `control` does on demand what Stripe, banks and networks do unasked.
"""

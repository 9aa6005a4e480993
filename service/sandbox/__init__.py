"""The stand-in for the parts of Stripe's and Vapi's APIs that we use, without keys and for tests.

`app` starts it, `api` says which of Stripe's `resources` answers a request, `pages` is where a
customer pays, `vapi` lists calls, and `control` does on demand what Stripe, banks, networks and
callers do unasked.
"""

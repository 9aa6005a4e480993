"""pgwallet: prepaid wallets in PostgreSQL, and the HTTP service that Stripe calls."""

__version__ = "0.1.0"

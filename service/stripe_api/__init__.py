"""What pgwallet asks of Stripe."""

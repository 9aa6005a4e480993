"""The stand-in for Stripe: what its events look like and how they are signed."""

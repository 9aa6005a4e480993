"""The commands of `wallet`, by who needs them."""

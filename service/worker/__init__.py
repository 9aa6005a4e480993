"""Errands that leave the database: each claims a row, acts, and reports back to SQL."""

"""Disputes: a payer complains at the bank, and the merchant has sixteen hours to respond before it counts as accepted."""

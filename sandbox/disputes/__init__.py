"""Disputes: a payer complains at the bank. If the merchant does not respond within sixteen hours, the dispute is accepted automatically."""

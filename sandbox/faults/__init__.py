"""Faults on demand: failing, slow and wrong responses, the rate limit, and lost, repeated, late or reordered webhooks."""

"""Faults that a script sets: failing, slow and wrong responses, a rate limit, and lost, repeated, late or reordered webhooks."""

"""Payments, from their start to the notice that they were made."""

"""Transactions and their charges: initialize, pay, verify, list, saved cards, and the charge.success webhook."""

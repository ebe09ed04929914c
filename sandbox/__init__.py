"""Offline Paystack emulator: Paystack's API, a checkout page, signed webhooks, and faults on demand."""

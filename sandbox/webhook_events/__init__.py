"""Paystack's Webhook Events API: what was sent to the merchant, how it went, and all of it once more."""

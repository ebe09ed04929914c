"""The addresses from which Paystack sends webhooks, in test and in live mode."""

WEBHOOK_ADDRESSES = ("52.31.139.75", "52.49.173.169", "52.214.14.220")
"""As Paystack's documentation of webhooks lists them."""

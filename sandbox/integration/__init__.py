"""Settings of the merchant's account (Paystack: integration)."""

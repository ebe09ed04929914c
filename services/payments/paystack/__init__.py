"""Paystack's API, as far as we speak it; nothing else speaks to Paystack. Known of it: its OpenAPI and documentation; see each rule."""

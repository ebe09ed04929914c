"""Saved cards: Paystack's authorization codes with which a customer can be charged again. Card numbers are never stored."""

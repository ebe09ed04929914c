"""Saved cards: Paystack's authorization codes with which a payer can be charged again. Card numbers are never stored."""

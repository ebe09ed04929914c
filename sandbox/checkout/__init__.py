"""Checkout page: the payer chooses a test card, answers its questions, and returns to the shop."""

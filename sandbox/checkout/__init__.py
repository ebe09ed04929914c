"""Checkout page: the payer chooses a test card or another channel, does what it asks for, and returns to the shop."""

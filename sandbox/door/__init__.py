"""What every call of Paystack's own API passes: the key, the weather, and how queries are read."""

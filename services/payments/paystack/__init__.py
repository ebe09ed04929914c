"""The client of Paystack's API, and the parsers of its JSON. Only this package calls Paystack.

From the rest of payments, this package imports only the mode (test or live).
"""

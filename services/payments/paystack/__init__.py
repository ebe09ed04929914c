"""The client of Paystack's API, and the parsers of its JSON. Only this package calls Paystack.

From payments, this package imports only the settings.
"""

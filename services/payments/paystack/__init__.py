"""The client of Paystack's API, and the parsers of its JSON. Only this package calls Paystack.

Of payments it imports settings and nothing else.
"""

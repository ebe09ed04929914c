"""Disputes: a payer asks the bank to return a payment. Paystack accepts a dispute on our behalf if we do not respond within 16 hours."""

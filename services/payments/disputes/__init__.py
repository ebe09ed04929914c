"""Disputes: payers claim money back through their bank. Paystack accepts a dispute on our behalf if we do not respond within 16 hours."""

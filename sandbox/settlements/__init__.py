"""Settlements: payouts of paid transactions to the merchant, less fees and refunds."""

"""Cards that payers left behind, to be charged again: codes of Paystack's, never a card."""

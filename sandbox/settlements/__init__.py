"""Money on its way to the merchant: what was paid, less the fees, less what was given back."""

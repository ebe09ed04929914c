"""The page where a payer pays."""

"""Money on its way back: pending, processing, then processed, failed or in need of the payer's account."""

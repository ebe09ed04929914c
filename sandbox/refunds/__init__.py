"""Refunds: pending, processing, then processed, failed or needs-attention."""

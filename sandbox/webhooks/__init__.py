"""Webhooks: dispatch, the queue, the sender, and Paystack's Webhook Events API."""

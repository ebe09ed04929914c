"""Bank transfers that Paystack rejected: recorded from webhook events, and matched with their payments."""

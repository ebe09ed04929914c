"""Finding out what no notice told: asking about late payments, and fetching notices that never came, at Paystack's pace."""

"""A Paystack that runs on your machine: the same API, a checkout page, signed webhooks and bad weather on demand."""

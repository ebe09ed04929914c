"""Request parsing and list pagination that all of Paystack's paths share."""

"""What identifies a person in a payment and in the evidence for its disputes."""

ERASED_PAYMENT: dict[str, object] = {
    "email": None,
    "phone": None,
    "customer_name": None,
    "customer_external_id": None,
    "client_metadata": {},
}
"""The columns of a payment that are erased."""

PERSONAL_EVIDENCE = ["customer_email", "customer_name", "customer_phone", "delivery_address"]
"""The fields of dispute evidence that are erased. Erasing them here loses nothing that Paystack needs: evidence is stored only after it was
sent to Paystack."""

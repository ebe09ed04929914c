"""Charges through channels that need an action outside the page: bank transfer, USSD, QR and mobile money."""

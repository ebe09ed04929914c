"""The one merchant account that the sandbox emulates, as responses and webhooks name it."""

INTEGRATION_ID = 700_001
MERCHANT_EMAIL = "merchant@sandbox.example"

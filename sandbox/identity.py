"""How the merchant that the sandbox plays is named in bodies."""

INTEGRATION = 700_001
BY = "merchant@sandbox.example"

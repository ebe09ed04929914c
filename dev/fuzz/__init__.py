"""Requests generated from the OpenAPI documents (https://schemathesis.readthedocs.io)."""

"""Clients that are opened for one request."""

import ssl

import pytest

from kit.http.client import HttpClient


async def test_clients_of_a_process_read_the_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpClient():
        pass

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the certificates are read again")

    monkeypatch.setattr(ssl, "create_default_context", refuse)
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    async with HttpClient():
        pass

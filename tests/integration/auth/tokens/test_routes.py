import pytest

from tests.fixtures.auth import PASSWORD, AuthClient


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com"}, "invalid_request"),
        ({"grant_type": "password", "username": "x" * 321, "password": PASSWORD}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com", "password": "a\x00b"}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com", "password": "x" * 1025}, "invalid_request"),
        ({"grant_type": "password", "username": "ada@example.com", "password": "ü" * 600}, "invalid_request"),
        ({"grant_type": "password", "username": "a\x00@example.com", "password": PASSWORD}, "invalid_grant"),
        ({"grant_type": ["password", "password"], "username": "a@b.co", "password": PASSWORD}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "\x00"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": f"{'a' * 22}.{'b' * 43}"}, "invalid_grant"),
    ],
)
async def test_token_when_the_form_is_invalid_then_error_of_rfc_6749(
    auth: AuthClient, form: dict[str, str], error: str
) -> None:
    response = await auth.http.post("/auth/token", data=form)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]
)
async def test_token_when_the_body_is_not_a_form_then_415(auth: AuthClient, kind: str) -> None:
    response = await auth.http.post("/auth/token", content=b'{"grant_type":"password"', headers={"Content-Type": kind})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert response.headers["accept"] == "application/x-www-form-urlencoded"


async def test_forms_when_a_parameter_is_unknown_then_it_is_ignored(auth: AuthClient, email: str) -> None:
    """RFC 6749 section 3.2. A JSON body with an unknown field is refused."""
    login = await auth.login(email, resource="https://shop.example")
    assert login.status_code == 200
    form = {"token": login.json()["refresh_token"], "reason": "logout"}
    assert (await auth.http.post("/auth/revoke", data=form)).status_code == 200
    assert (await auth.refresh(login.json()["refresh_token"])).status_code == 400

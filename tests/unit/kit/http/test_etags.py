import pytest
from starlette.requests import Request

from kit.http.etags import conditional_response, strong_etag

TAG = strong_etag(b"x")


def ask(if_none_match: str | None) -> tuple[int, bytes, str]:
    headers = [] if if_none_match is None else [(b"if-none-match", if_none_match.encode())]
    request = Request({"type": "http", "headers": headers})
    response = conditional_response(request, b"x", media_type="text/plain", cache_control="max-age=1")
    assert response.headers["cache-control"] == "max-age=1"
    return response.status_code, bytes(response.body), response.headers["etag"]


def test_strong_etag_differs_for_different_content() -> None:
    assert strong_etag(b"y") != TAG
    assert TAG.startswith('"')


@pytest.mark.parametrize("sent", [TAG, f"W/{TAG}", f'"other", {TAG}', "*"])
def test_conditional_response_when_the_client_has_the_content_then_304(sent: str) -> None:
    assert ask(sent) == (304, b"", TAG)


@pytest.mark.parametrize("sent", [None, "", '"other"', TAG.strip('"'), TAG[:-2]])
def test_conditional_response_when_the_client_has_other_content_then_200(sent: str | None) -> None:
    assert ask(sent) == (200, b"x", TAG)

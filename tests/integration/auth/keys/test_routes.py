from tests.fixtures.auth import AuthClient

PATH = "/.well-known/jwks.json"


async def test_public_keys_can_be_cached_and_asked_for_again_without_a_transfer(auth: AuthClient) -> None:
    first = await auth.http.get(PATH)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "public, max-age=300"
    assert not first.headers["etag"].startswith("W/")
    (key,) = first.json()["keys"]
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    again = await auth.http.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["cache-control"] == first.headers["cache-control"]
    other = await auth.http.get(PATH, headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, first.content)
    head = await auth.http.head(PATH)
    assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])

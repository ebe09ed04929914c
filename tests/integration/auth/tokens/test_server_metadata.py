from services.auth.keys.key_ring import KeyRing
from tests.fixtures.auth import AuthClient


async def test_metadata_leads_to_the_keys(auth: AuthClient, key_ring: KeyRing) -> None:
    metadata = (await auth.http.get("/.well-known/oauth-authorization-server")).json()
    assert (await auth.http.get("/.well-known/openid-configuration")).json() == metadata
    assert metadata["response_types_supported"] == ["none"]
    assert metadata["issuer"] == "http://auth.test"
    assert metadata["token_endpoint"] == "http://auth.test/auth/token"
    response = await auth.http.get(metadata["jwks_uri"].removeprefix("http://auth.test"))
    assert response.json() == await key_ring.jwks()
    assert response.headers["cache-control"] == "public, max-age=300"

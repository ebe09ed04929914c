"""Ten thousand changed access tokens, each sent to all three services."""

import asyncio
from collections import Counter
from random import Random

import httpx
import pytest

from tests.fixtures.stack_client import StackClient
from tests.fixtures.token_mutations import mutate

pytestmark = pytest.mark.drill

MUTATIONS = 10_000
CONNECTIONS = 20
GUARDED = (("AUTH_URL", "/auth/me"), ("CATALOG_URL", "/catalog/orders"), ("PAYMENTS_URL", "/payments"))


async def test_ten_thousand_mutations_of_a_token_are_all_refused_by_every_service(shop: StackClient) -> None:
    random = Random(20261126)
    token = str(shop.bearer()["Authorization"]).removeprefix("Bearer ")
    mutations = [mutate(token, random) for _ in range(MUTATIONS)]
    urls = [f"{shop.env[service]}{path}" for service, path in GUARDED]
    accepted: list[tuple[str, int, str]] = []
    statuses: Counter[int] = Counter()
    pending = iter(mutations)

    async with httpx.AsyncClient(timeout=15, trust_env=False) as http:

        async def send() -> None:
            for mutation in pending:
                for url in urls:
                    answer = await http.get(url, headers=[(b"Authorization", f"Bearer {mutation}".encode())])
                    statuses[answer.status_code] += 1
                    if answer.status_code != 401 or answer.json()["code"] != "not_authenticated":
                        accepted.append((url, answer.status_code, mutation))

        await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
        assert accepted == []
        assert statuses == {401: MUTATIONS * len(urls)}
        for url in urls[1:]:  # the token itself is valid; auth has no such account
            assert (await http.get(url, headers={"Authorization": f"Bearer {token}"})).status_code == 200

import asyncio
from typing import Any

import httpx

KEY = "sk_test_0123456789abcdef"
ORIGIN = "http://sandbox.test"


class Merchant:
    """Calls the sandbox as a merchant's server does, and as a script does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, path, headers={"authorization": f"Bearer {KEY}"}, **more)

    async def initialize(self, **fields: Any) -> httpx.Response:
        return await self.call("POST", "/transaction/initialize", json=fields)

    async def start(self, **fields: Any) -> dict[str, Any]:
        """A transaction of 2,500 naira, unless told otherwise."""
        answer = await self.initialize(**{"email": "ada@example.com", "amount": 250_000, "currency": "NGN"} | fields)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def verify(self, reference: str) -> dict[str, Any]:
        data: dict[str, Any] = (await self.call("GET", f"/transaction/verify/{reference}")).json()["data"]
        return data

    async def pay(self, reference: str, **instruction: Any) -> httpx.Response:
        return await self.http.post(f"/sandbox/transactions/{reference}/pay", json=instruction)

    async def paid(self, amount: int = 250_000, **instruction: Any) -> dict[str, Any]:
        """A paid transaction, as verify shows it."""
        started = await self.start(amount=amount)
        answer = await self.pay(started["reference"], **instruction)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def get(self, path: str, **query: str | int) -> Any:
        """The data of a call that works."""
        answer = await self.call("GET", path, params=query)
        assert (answer.status_code, answer.json()["status"]) == (200, True), answer.text
        return answer.json()["data"]

    async def refund(self, reference: str, **fields: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/refund", json={"transaction": reference, **fields})
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def order(self, path: str, **instruction: Any) -> httpx.Response:
        """What a script wants, under /sandbox."""
        return await self.http.post(f"/sandbox/{path}", json=instruction)

    async def reaches(self, reference: str, status: str) -> None:
        async with asyncio.timeout(10):
            while True:
                if (await self.verify(reference))["status"] == status:
                    return
                await asyncio.sleep(0.01)

    async def webhooks(self, **until: int) -> dict[str, Any]:
        """The counts of webhooks, as soon as they are what is wanted."""
        async with asyncio.timeout(10):
            while True:
                data: dict[str, Any] = (await self.http.get("/sandbox/webhooks")).json()["data"]
                if all(data[state] == count for state, count in until.items()):
                    return data
                await asyncio.sleep(0.01)

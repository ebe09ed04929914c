"""Paystack and catalog as small transports: what they are asked, and what they answer."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from services.payments.paystack.client import Paystack

Answer = Callable[[httpx.Request], httpx.Response]


def ok(data: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"status": True, "message": "ok", "data": data})


def refused(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"status": False, "message": "no", "code": code})


def initialized(request: httpx.Request) -> httpx.Response:
    reference = json.loads(request.content)["reference"]
    return ok({"authorization_url": f"https://pay.test/{reference}", "access_code": "code", "reference": reference})


class Weather:
    """What Paystack answers next; the last answer stays. `asked` is every request so far."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response | Exception | Answer] = []
        self.asked: list[httpx.Request] = []

    def then(self, *answers: httpx.Response | Exception | Answer) -> None:
        self.answers += answers

    def client(self) -> Paystack:
        return Paystack(
            "http://paystack.test", SecretStr("sk_test_0123456789abcdef"), httpx.MockTransport(self._answer)
        )

    def references(self) -> list[str]:
        """Whom was asked about, by verify."""
        return [request.url.path.rpartition("/")[2] for request in self.asked]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)

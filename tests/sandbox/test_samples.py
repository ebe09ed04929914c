"""The sandbox against the samples of Paystack's documentation: its webhooks have their keys and types, no more and no less; its answers
have them too, and what the specification, which is newer, has besides."""

from typing import Any

import pytest

from tests.sandbox import openapi
from tests.sandbox.conftest import sandbox
from tests.sandbox.receiver import Receiver
from tests.sandbox.scenario import PAYMENTS, Played, Scenario

pytestmark = pytest.mark.skipif(not openapi.FOLDER.is_dir(), reason="../shared/paystack is not beside this checkout")

REFUNDS = [f"refund.{status}" for status in ("pending", "processing", "processed", "failed", "needs-attention")]
DISPUTES = [f"charge.dispute.{kind}" for kind in ("create", "remind", "resolve")]
ANSWERS = {
    "transactions.initialize": ("POST", "/transaction/initialize"),
    "transactions.verify": ("GET", "/transaction/verify/{}"),
    "transactions.fetch": ("GET", "/transaction/{}"),
    "transactions.list": ("GET", "/transaction"),
    "transactions.totals": ("GET", "/transaction/totals"),
    "transactions.view_timeline": ("GET", "/transaction/timeline/{}"),
    "transactions.charge_authorization": ("POST", "/transaction/charge_authorization"),
    "customers.deactivate-authorization": ("POST", "/customer/authorization/deactivate"),
    "refunds.create": ("POST", "/refund"),
    "refunds.list": ("GET", "/refund"),
    "refunds.fetch": ("GET", "/refund/{}"),
    "refunds.retry": ("POST", "/refund/retry_with_customer_details/{}"),
    "disputes.list": ("GET", "/dispute"),
    "disputes.fetch": ("GET", "/dispute/{}"),
    "disputes.transaction": ("GET", "/dispute/transaction/{}"),
    "disputes.update": ("PUT", "/dispute/{}"),
    "disputes.upload-url": ("GET", "/dispute/{}/upload_url"),
    "disputes.evidence": ("POST", "/dispute/{}/evidence"),
    "disputes.resolve": ("PUT", "/dispute/{}/resolve"),
    "settlements.list": ("GET", "/settlement"),
    "settlements.transactions": ("GET", "/settlement/{}/transactions"),
}
CONTRADICTED = {
    "disputes.update": {"$.data: an object for a list"},  # the specification has the one dispute
    "disputes.resolve": {"$.data.transaction: a number for an object"},  # so the specification
}
NAMES = {bool: "a flag", int: "a number", float: "a number", str: "a text", dict: "an object", list: "a list"}


def lacking(ours: Any, theirs: Any, where: str = "$") -> set[str]:
    """What the sample has and we have not, or have as something else. null says nothing."""
    if ours is None or theirs is None:
        return set()
    if type(ours) is not type(theirs):
        return {f"{where}: {NAMES[type(ours)]} for {NAMES[type(theirs)]}"}
    if isinstance(theirs, list):
        return (
            set.intersection(*(lacking(each, theirs[0], f"{where}[]") for each in ours)) if ours and theirs else set()
        )
    if not isinstance(theirs, dict):
        return set()
    found = {f"{where}.{name} is missing" for name in theirs.keys() - ours.keys()}
    return found.union(*(lacking(ours[name], theirs[name], f"{where}.{name}") for name in theirs.keys() & ours.keys()))


@pytest.fixture(scope="module")
async def played() -> Played:
    async with Receiver() as receiver, sandbox(webhook_url=receiver.url, time_scale=0.01) as own:
        return await Scenario(own, receiver).play()


@pytest.mark.parametrize("name", [*(f"charge.success.{each}" for each in PAYMENTS), *REFUNDS, *DISPUTES])
def test_webhooks(played: Played, name: str) -> None:
    ours, theirs = played.notices[name], openapi.sample(f"samples/{name}.json")
    assert lacking(ours, theirs) == set()
    assert lacking(theirs, ours) == set()


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(played: Played, name: str) -> None:
    sample = openapi.sample(f"api/{name}.json")["200"]["data"]
    answers = [lacking(answer, sample) for answer in played.answers[ANSWERS[name]]]
    assert set.intersection(*answers) == CONTRADICTED.get(name, set())


def test_no_sample_of_what_is_played_is_left_out() -> None:
    played = ("charge.success.", "refund.", "charge.dispute.")
    samples = {each.stem for each in (openapi.FOLDER / "samples").glob("*.json") if each.name.startswith(played)}
    assert samples == {*(f"charge.success.{each}" for each in PAYMENTS), *REFUNDS, *DISPUTES}


def test_the_comparison_finds_what_is_wrong() -> None:
    sample = {"a": 1, "b": [{"c": ""}], "d": None}
    assert lacking({"a": 2, "b": [], "d": "x"}, sample) == set()
    assert lacking({"a": "1", "b": [{}]}, sample) == {
        "$.a: a text for a number",
        "$.b[].c is missing",
        "$.d is missing",
    }

"""The sandbox against the samples in Paystack's documentation.

Its webhooks have the keys and types of the samples, no more and no less. Its responses have them too, and also the fields of
the specification, which is newer.
"""

from typing import Any

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.charge_webhooks import CHARGE_WEBHOOKS
from tests.fixtures.sandbox import in_process_sandbox
from tests.integration.sandbox.conformance import openapi
from tests.integration.sandbox.conformance.recorder import Recorder, Recording

pytestmark = pytest.mark.skipif(not openapi.FOLDER.is_dir(), reason="../shared/paystack is not beside this repository")
REFUNDS = [f"refund.{status}" for status in ("pending", "processing", "processed", "failed", "needs-attention")]
DISPUTES = [f"charge.dispute.{kind}" for kind in ("create", "remind", "resolve")]
TRANSFERS = ["bank.transfer.rejected", "bank.transfer.rejected.pesalink"]
EMULATED = [*(f"charge.success.{each}" for each in CHARGE_WEBHOOKS), *REFUNDS, *DISPUTES, *TRANSFERS]
RESPONSES = {
    "transactions.initialize": ("POST", "/transaction/initialize"),
    "transactions.verify": ("GET", "/transaction/verify/{}"),
    "transactions.fetch": ("GET", "/transaction/{}"),
    "transactions.list": ("GET", "/transaction"),
    "transactions.totals": ("GET", "/transaction/totals"),
    "transactions.view_timeline": ("GET", "/transaction/timeline/{}"),
    "transactions.charge_authorization": ("POST", "/transaction/charge_authorization"),
    "transactions.partial_debit": ("POST", "/transaction/partial_debit"),
    "customers.deactivate-authorization": ("POST", "/customer/authorization/deactivate"),
    "charges.create": ("POST", "/charge/submit_otp"),
    "charges.submit-otp": ("POST", "/charge/submit_otp"),
    "charges.check": ("GET", "/charge/{}"),
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
EXPECTED_DIFFERENCES = {
    "disputes.update": {"$.data: an object for a list"},  # the specification has one dispute
    "disputes.resolve": {"$.data.transaction: a number for an object"},  # the specification has a number too
}
NAMES = {bool: "a flag", int: "a number", float: "a number", str: "a text", dict: "an object", list: "a list"}


def differences(ours: Any, theirs: Any, where: str = "$") -> set[str]:
    """Return the keys of a sample that our body does not have or has with another type. null fits every type."""
    if ours is None or theirs is None:
        return set()
    if type(ours) is not type(theirs):
        return {f"{where}: {NAMES[type(ours)]} for {NAMES[type(theirs)]}"}
    if isinstance(theirs, list):
        return (
            set.intersection(*(differences(each, theirs[0], f"{where}[]") for each in ours))
            if ours and theirs
            else set()
        )
    if not isinstance(theirs, dict):
        return set()
    found = {f"{where}.{name} is missing" for name in theirs.keys() - ours.keys()}
    return found.union(
        *(differences(ours[name], theirs[name], f"{where}.{name}") for name in theirs.keys() & ours.keys())
    )


@pytest.fixture(scope="module")
async def recording() -> Recording:
    async with WebhookReceiver() as receiver, in_process_sandbox(webhook_url=receiver.url, time_scale=0.01) as own:
        return await Recorder(own, receiver).run()


@pytest.mark.parametrize("name", EMULATED)
def test_webhook_of_each_sample_has_its_keys_and_types(recording: Recording, name: str) -> None:
    ours, theirs = recording.webhooks[name], openapi.sample(f"samples/{name}.json")
    assert differences(ours, theirs) == set()
    assert differences(theirs, ours) == set()


@pytest.mark.parametrize("name", RESPONSES)
def test_response_of_each_sample_has_its_keys_and_types(recording: Recording, name: str) -> None:
    sample = openapi.sample(f"api/{name}.json")["200"]["data"]
    responses = [differences(response, sample) for response in recording.responses[RESPONSES[name]]]
    assert set.intersection(*responses) == EXPECTED_DIFFERENCES.get(name, set())


@pytest.mark.parametrize(
    ("name", "case", "operation"),
    [
        ("charges.create", "200_otp", ("POST", "/charge")),
        ("charges.check", "200_otp", ("GET", "/charge/{}")),
        ("charges.check", "200_failed", ("GET", "/charge/{}")),
        ("charges.submit-otp", "200_failed", ("POST", "/charge/submit_otp")),
    ],
)
def test_response_of_an_unpaid_charge_has_the_fields_of_its_sample(
    recording: Recording, name: str, case: str, operation: tuple[str, str]
) -> None:
    sample = openapi.sample(f"api/{name}.json")[case]["data"]
    status = sample["data"]["status"]
    responses = [each for each in recording.responses[operation] if each["data"]["status"] == status]
    assert responses
    assert all(differences(response, sample) == set() for response in responses)


def test_samples_of_emulated_webhooks_are_all_compared() -> None:
    emulated = ("charge.success.", "refund.", "charge.dispute.", "bank.transfer.")
    samples = {each.stem for each in (openapi.FOLDER / "samples").glob("*.json") if each.name.startswith(emulated)}
    assert samples == set(EMULATED)


def test_comparison_of_different_values_finds_the_differences() -> None:
    sample = {"a": 1, "b": [{"c": ""}], "d": None}
    assert differences({"a": 2, "b": [], "d": "x"}, sample) == set()
    assert differences({"a": "1", "b": [{}]}, sample) == {
        "$.a: a text for a number",
        "$.b[].c is missing",
        "$.d is missing",
    }

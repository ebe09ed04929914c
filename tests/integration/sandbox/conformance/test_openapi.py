"""The sandbox against Paystack's own OpenAPI specification: its paths, parameters and responses.

Where the specification contradicts Paystack's samples, or behaviour that was seen on the test API, the sandbox follows those.
Every such place is listed here with its reason, and an entry that no longer contradicts anything fails the test too.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.merchant import Merchant
from tests.fixtures.sandbox import in_process_sandbox
from tests.integration.sandbox.conformance import openapi
from tests.integration.sandbox.conformance.json_schema import problems
from tests.integration.sandbox.conformance.openapi import Operation, operations, specification
from tests.integration.sandbox.conformance.recorder import Recorder, Recording

pytestmark = pytest.mark.skipif(not openapi.FOLDER.is_dir(), reason="../shared/paystack is not beside this repository")
UNSPECIFIED = "/integration/webhooks/events"
"""The Webhook Events API is documented and missing in the specification."""
EXTRA_PARAMETERS: dict[Operation, set[str]] = {
    ("GET", "/transaction"): {"perPage", "customer"},  # documented; the specification has per_page and customer_code
    ("GET", "/refund"): {"transaction", "currency"},  # documented; `transaction` was seen on the test API
    ("GET", "/settlement"): {"from", "to"},  # documented
    ("GET", "/settlement/{}/transactions"): {"from", "to", "perPage", "page"},  # documented
    ("GET", "/dispute/{}/upload_url"): {"upload_filename"},  # documented
}
"""Query parameters that the specification does not have."""
EXTRA_FIELDS: dict[Operation, set[str]] = {
    ("POST", "/charge"): {"bank_transfer", "currency", "qr"},  # documented
}
"""Fields of bodies that the specification does not have."""
EXPECTED_DIFFERENCES = {
    # The samples have null for a customer of whom only the email is known.
    r"customer\.(first_name|last_name|phone|metadata|international_format_phone): None is no (string|object)": "samples",
    r"data(\[\d+\])?(\.transaction)?\.metadata: '' is no object": "an empty text in half of the samples",
    r"GET /transaction/verify/{} \$\.data\.ip_address: None": "null before the payer opens the checkout page",
    r"GET /transaction/{} \$\.data\.authorization: receiver_bank(_account_number)? is missing": "only in transfers",
    r"GET /transaction \$\.data\[\d+\]\.paidAt: None": "null until paid, as in verify",
    r"GET /transaction \$\.data\[\d+\]\.authorization: \w+ is missing": "{} when unpaid, as on the test API; few fields for a terminal",
    r"GET /transaction \$\.meta: ((total|total_volume|skipped|page|pageCount) is missing|(next|previous) is not known)": "cursors",
    r"GET /refund \$\.data\[\d+\]: createdAt is missing": "created_at in the sample of the list",
    r"GET /refund \$\.data\[\d+\]\.(deducted_amount|fully_deducted): None": "null until deducted, in the sample",
    r"GET /refund \$\.meta\.perPage: 50 is no string": "a number in every other list",
    r"GET /refund/{} \$\.data\.fully_deducted: (True|False) is no integer": "true in the sample",
    r"POST /refund/retry\S+ \$\.data\.(dispute|settlement|customer): None": "null in the sample",
    r"/dispute/\S+ \$\.data\.created_by: None": "null in the sample",
    r"PUT /dispute/{}/resolve \$\.data\.resolvedAt: None": "null until the bank decides, after the merchant declined",
    r"/charge\S* \$\.data: \w+ is missing": "reference, status and few more until paid, in the samples",
    r"/charge\S* \$\.data\.authorization\.\w+: None": "null for mobile money, in the sample",
    r"GET /settlement\S* \$\.data: \[.*\] is no object": "lists, in the samples",
}
"""Problems that the specification finds in our responses, and why the responses are right."""


@pytest.fixture(scope="module")
async def merchant() -> AsyncIterator[Merchant]:
    async with in_process_sandbox() as own:
        yield own


@pytest.fixture(scope="module")
async def document(merchant: Merchant) -> dict[str, Any]:
    """The OpenAPI document of the sandbox."""
    found: dict[str, Any] = (await merchant.http.get("/openapi.json")).json()
    return found


@pytest.fixture(scope="module")
def offered(document: dict[str, Any]) -> dict[Operation, dict[str, Any]]:
    every = operations(document).items()
    return {each: described for each, described in every if described.get("tags") == ["Paystack's API"]}


@pytest.fixture(scope="module")
async def recording() -> Recording:
    async with WebhookReceiver() as receiver, in_process_sandbox(webhook_url=receiver.url, time_scale=0.01) as own:
        return await Recorder(own, receiver).run()


def test_paths_of_the_sandbox_are_all_specified(offered: dict[Operation, dict[str, Any]]) -> None:
    strange = {each for each in offered.keys() - operations(specification()) if not each[1].startswith(UNSPECIFIED)}
    assert not strange
    assert len(offered) > 20


def test_parameters_of_the_sandbox_are_all_specified(
    offered: dict[Operation, dict[str, Any]], document: dict[str, Any]
) -> None:
    specified = operations(specification())
    beyond = {}
    for each in offered.keys() & specified.keys():
        ours = openapi.query_parameters(document, offered[each])
        if more := ours - openapi.query_parameters(specification(), specified[each]):
            beyond[each] = more
        taken = openapi.body_schema(document, offered[each])
        known = openapi.body_schema(specification(), specified[each])
        extra = taken.get("properties", {}).keys() - known.get("properties", {}).keys()
        assert extra == EXTRA_FIELDS.get(each, set()), each
        assert set(taken.get("required", ())) == set(known.get("required", ())), each
    assert beyond == EXTRA_PARAMETERS


def test_responses_of_the_sandbox_fit_the_specification(
    offered: dict[Operation, dict[str, Any]], recording: Recording
) -> None:
    assert recording.responses.keys() == offered.keys()
    specified = operations(specification())
    found = [
        f"{method} {path} {problem}"
        for method, path in recording.responses.keys() & specified.keys()
        for response in recording.responses[method, path]
        for problem in problems(openapi.response_schema(specification(), specified[method, path]), response)
    ]
    unexplained = [each for each in found if not any(re.search(known, each) for known in EXPECTED_DIFFERENCES)]
    assert unexplained == []
    assert [known for known in EXPECTED_DIFFERENCES if not any(re.search(known, each) for each in found)] == []


async def test_call_that_is_not_emulated_is_not_found(
    offered: dict[Operation, dict[str, Any]], merchant: Merchant
) -> None:
    """It is never an error 500, nor handled by another route."""
    absent = operations(specification()).keys() - offered.keys()
    assert len(absent) > 100
    responses = {
        (method, path): await merchant.call(
            method, path.replace("{}", "1"), json=None if method == "GET" else {"amount": 1, "email": "a@b.co"}
        )
        for method, path in absent
    }
    assert {each: response.status_code for each, response in responses.items() if response.status_code != 404} == {}
    assert all(response.json()["status"] is False for response in responses.values())

"""The sandbox against Paystack's own OpenAPI specification: its paths, what they take, and what they answer.

Where the specification contradicts Paystack's samples, or what others saw on the test API, the sandbox does as those do; every such
place is named here, with its reason, and one that no longer contradicts anything fails too.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox import openapi
from tests.sandbox.conftest import sandbox
from tests.sandbox.json_schema import problems
from tests.sandbox.merchant import Merchant
from tests.sandbox.openapi import Operation, operations, specification
from tests.sandbox.receiver import Receiver
from tests.sandbox.scenario import Played, Scenario

pytestmark = pytest.mark.skipif(not openapi.FOLDER.is_dir(), reason="../shared/paystack is not beside this checkout")

UNWRITTEN = "/integration/webhooks/events"
"""The Webhook Events API has a page of documentation of its own, and no place in the specification."""
PARAMETERS: dict[Operation, set[str]] = {
    ("GET", "/transaction"): {"perPage", "customer"},  # the documentation's names: per_page and customer_code here
    ("GET", "/refund"): {"transaction", "currency"},  # documented; the first was seen on the test API
    ("GET", "/settlement"): {"from", "to"},  # documented
    ("GET", "/settlement/{}/transactions"): {"from", "to", "perPage", "page"},  # documented
    ("GET", "/dispute/{}/upload_url"): {"upload_filename"},  # documented
}
"""Taken beyond the specification."""
CONTRADICTED = {
    # Of a customer of whom only the address is known, the samples have null.
    r"customer\.(first_name|last_name|phone|metadata|international_format_phone): None is no (string|object)": "samples",
    r"data(\[\d+\])?(\.transaction)?\.metadata: '' is no object": "an empty text in half of the samples",
    r"GET /transaction/verify/{} \$\.data\.ip_address: None": "nobody came to the checkout page yet",
    r"GET /transaction/{} \$\.data\.authorization: receiver_bank(_account_number)? is missing": "only in transfers",
    r"GET /transaction \$\.data\[\d+\]\.paidAt: None": "null until paid, as at verify",
    r"GET /transaction \$\.data\[\d+\]\.authorization: \w+ is missing": "{} when unpaid, as seen; a terminal tells little",
    r"GET /transaction \$\.meta: ((total|total_volume|skipped|page|pageCount) is missing|(next|previous) is not known)": "cursors",
    r"GET /refund \$\.data\[\d+\]: createdAt is missing": "created_at in the sample of the list",
    r"GET /refund \$\.data\[\d+\]\.(deducted_amount|fully_deducted): None": "null until deducted, in the sample",
    r"GET /refund \$\.meta\.perPage: 50 is no string": "a number in every other list",
    r"GET /refund/{} \$\.data\.fully_deducted: (True|False) is no integer": "true in the sample",
    r"POST /refund/retry\S+ \$\.data\.(dispute|settlement|customer): None": "null in the sample",
    r"/dispute/\S+ \$\.data\.created_by: None": "null in the sample",
    r"PUT /dispute/{}/resolve \$\.data\.resolvedAt: None": "declined: the bank has yet to say",
    r"GET /settlement\S* \$\.data: \[.*\] is no object": "lists, in the samples",
}
"""What the specification would have otherwise, and why it is not so."""


@pytest.fixture(scope="module")
async def merchant() -> AsyncIterator[Merchant]:
    async with sandbox() as own:
        yield own


@pytest.fixture(scope="module")
async def document(merchant: Merchant) -> dict[str, Any]:
    """The sandbox's own page about itself."""
    found: dict[str, Any] = (await merchant.http.get("/openapi.json")).json()
    return found


@pytest.fixture(scope="module")
def offered(document: dict[str, Any]) -> dict[Operation, dict[str, Any]]:
    every = operations(document).items()
    return {each: described for each, described in every if described.get("tags") == ["Paystack's API"]}


@pytest.fixture(scope="module")
async def played() -> Played:
    async with Receiver() as receiver, sandbox(webhook_url=receiver.url, time_scale=0.01) as own:
        return await Scenario(own, receiver).play()


def test_every_path_is_one_of_paystack(offered: dict[Operation, dict[str, Any]]) -> None:
    strange = {each for each in offered.keys() - operations(specification()) if not each[1].startswith(UNWRITTEN)}
    assert not strange
    assert len(offered) > 20


def test_every_parameter_is_one_of_paystack(offered: dict[Operation, dict[str, Any]], document: dict[str, Any]) -> None:
    theirs = operations(specification())
    beyond = {}
    for each in offered.keys() & theirs.keys():
        ours = openapi.query(document, offered[each])
        if more := ours - openapi.query(specification(), theirs[each]):
            beyond[each] = more
        taken = openapi.body(document, offered[each])
        known = openapi.body(specification(), theirs[each])
        assert taken.get("properties", {}).keys() <= known.get("properties", {}).keys(), each
        assert set(taken.get("required", ())) == set(known.get("required", ())), each
    assert beyond == PARAMETERS


def test_every_answer_fits(offered: dict[Operation, dict[str, Any]], played: Played) -> None:
    assert played.answers.keys() == offered.keys()
    theirs = operations(specification())
    found = [
        f"{method} {path} {problem}"
        for method, path in played.answers.keys() & theirs.keys()
        for answer in played.answers[method, path]
        for problem in problems(openapi.answered(specification(), theirs[method, path]), answer)
    ]
    unexplained = [each for each in found if not any(re.search(known, each) for known in CONTRADICTED)]
    assert unexplained == []
    assert [known for known in CONTRADICTED if not any(re.search(known, each) for each in found)] == []


async def test_what_is_not_played_is_not_found(offered: dict[Operation, dict[str, Any]], merchant: Merchant) -> None:
    """Never a crash, nor an answer to something else."""
    absent = operations(specification()).keys() - offered.keys()
    assert len(absent) > 100
    answers = {
        (method, path): await merchant.call(
            method, path.replace("{}", "1"), json=None if method == "GET" else {"amount": 1, "email": "a@b.co"}
        )
        for method, path in absent
    }
    assert {each: answer.status_code for each, answer in answers.items() if answer.status_code != 404} == {}
    assert all(answer.json()["status"] is False for answer in answers.values())

"""A file of evidence is PUT to the host that Paystack's upload URL names."""

from collections.abc import AsyncIterator

import pytest

from services.payments.paystack.errors import NoAnswer, Refused
from services.payments.paystack.uploads import put_file
from tests.fakes.paystack.raw_server import RawAnswer, RawServer, answer_with, reset_connection, running_raw_server


@pytest.fixture
async def host() -> AsyncIterator[RawServer]:
    """A host of files that answers with any bytes."""
    async with running_raw_server() as found:
        yield found


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answer_with(403, b"the URL has expired"), Refused),
        (answer_with(503, b"slow down"), NoAnswer),
        (reset_connection, NoAnswer),
    ],
)
async def test_put_file_when_it_is_not_stored_then_refused_or_no_answer(
    host: RawServer, answer: RawAnswer, error: type[Exception]
) -> None:
    host.answer = answer
    with pytest.raises(error, match="the file was not uploaded"):
        await put_file(f"http://127.0.0.1:{host.port}/receipt.pdf", b"%PDF")
    assert host.calls == 1


async def test_put_file_when_it_is_stored_then_returns(host: RawServer) -> None:
    host.answer = answer_with(200, b"")
    await put_file(f"http://127.0.0.1:{host.port}/receipt.pdf", b"%PDF")
    assert host.calls == 1

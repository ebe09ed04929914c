"""How long the payments of an order keep its stock reserved, whatever the sequence of their events."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.orders.reservations import MAX_PAYMENTS, Reservation, ReservationEvent
from tests.factories.events import payment_abandoned, payment_failed, payment_started

ORDER = UUID(int=1)
PLACED = datetime(2026, 11, 26, tzinfo=UTC)
FIRST_END, LATEST_END = PLACED + timedelta(minutes=15), PLACED + timedelta(hours=4)
ENDS = st.none() | st.integers(-60, 600).map(lambda minutes: PLACED + timedelta(minutes=minutes))


def reservation() -> Reservation:
    return Reservation(FIRST_END, LATEST_END, {})


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], FIRST_END),
        ([PLACED + timedelta(minutes=10)], FIRST_END),
        ([PLACED + timedelta(minutes=30)], PLACED + timedelta(minutes=30)),
        ([PLACED + timedelta(minutes=30), PLACED + timedelta(minutes=20)], PLACED + timedelta(minutes=30)),
        ([PLACED + timedelta(hours=9)], LATEST_END),
        ([None], LATEST_END),
    ],
)
def test_reservation_ends_with_the_latest_payment_within_the_limit(
    ends: list[datetime | None], expected: datetime
) -> None:
    reserved = reservation()
    for number, end in enumerate(ends):
        reserved.apply(payment_started(ORDER, f"pay-{number}", end))
    assert reserved.end == expected


def test_reservation_that_is_longer_than_the_limit_is_not_shortened() -> None:
    reserved = Reservation(FIRST_END, PLACED, {})
    reserved.apply(payment_started(ORDER, "pay-1", LATEST_END))
    assert reserved.end == FIRST_END


@given(
    payments=st.lists(st.tuples(ENDS, st.sampled_from(["open", "failed", "abandoned"])), max_size=5),
    data=st.data(),
)
def test_reservation_depends_on_what_happened_and_not_on_the_sequence_of_the_events(
    payments: list[tuple[datetime | None, str]], data: st.DataObject
) -> None:
    events: list[ReservationEvent] = []
    for number, (end, fate) in enumerate(payments):
        events.append(payment_started(ORDER, f"pay-{number}", end))
        if fate != "open":
            events.append((payment_failed if fate == "failed" else payment_abandoned)(ORDER, f"pay-{number}"))
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    reserved = reservation()
    for event in data.draw(st.permutations(events + repeated)):
        reserved.apply(event)
    open_ends = [min(end or LATEST_END, LATEST_END) for end, fate in payments if fate == "open"]
    assert reserved.end == max([FIRST_END, *open_ends])


def test_reservation_remembers_a_bounded_number_of_payments() -> None:
    reserved = reservation()
    for number in range(MAX_PAYMENTS):
        reserved.apply(payment_failed(ORDER, f"pay-{number}"))
    reserved.apply(payment_started(ORDER, "pay-one-more"))
    assert (len(reserved.payment_ends), reserved.end) == (MAX_PAYMENTS, FIRST_END)

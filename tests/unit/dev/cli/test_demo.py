"""The variants of `make demo`."""

import pytest

from dev import PROJECT
from dev.cli.demo import VARIANTS, selected_variant
from dev.cli.guest_purchase import GuestPurchase
from dev.cli.purchase import Purchase
from dev.cli.server_purchase import ServerPurchase
from dev.cli.transfer_purchase import TransferPurchase
from dev.process.program import NotStarted


@pytest.fixture(autouse=True)
def no_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIANTS:
        monkeypatch.delenv(name, raising=False)


def test_variant_when_no_variable_is_set_is_the_purchase_of_a_customer() -> None:
    assert selected_variant() is Purchase


@pytest.mark.parametrize(
    ("name", "variant"), [("GUEST", GuestPurchase), ("TRANSFER", TransferPurchase), ("SERVER", ServerPurchase)]
)
def test_variant_when_its_variable_is_set_is_selected(
    monkeypatch: pytest.MonkeyPatch, name: str, variant: type[Purchase]
) -> None:
    monkeypatch.setenv(name, "1")
    assert selected_variant() is variant


def test_variants_when_two_are_set_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "OTHER", Purchase)
    for name in ("GUEST", "OTHER"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(NotStarted, match="GUEST and OTHER are set: choose one"):
        selected_variant()


def test_makefile_names_the_variable_of_every_variant() -> None:
    (demo,) = [line for line in (PROJECT / "Makefile").read_text().splitlines() if line.startswith("demo:")]
    assert [name for name in VARIANTS if f"{name}=1" not in demo] == []

import pytest

from services.auth.errors import InvalidScope
from services.auth.tokens.scopes import select_scope

GRANTABLE = {"payments:write", "orders:write"}


@pytest.mark.parametrize("requested", [None, "", " "])
def test_select_scope_when_none_is_requested_then_everything_grantable(requested: str | None) -> None:
    assert select_scope(requested, GRANTABLE) == "orders:write payments:write"


def test_select_scope_when_less_is_requested_then_only_that() -> None:
    assert select_scope("orders:write  orders:write", GRANTABLE) == "orders:write"


def test_select_scope_when_more_is_requested_then_invalid_scope() -> None:
    with pytest.raises(InvalidScope):
        select_scope("orders:write catalog:write", GRANTABLE)

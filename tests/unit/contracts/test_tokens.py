from typing import get_args

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, HOLDERS, PERSON_SCOPES, PROGRAM_SCOPES, Scope


def test_the_table_of_scopes_has_every_scope_with_a_holder() -> None:
    assert set(HOLDERS) == set(get_args(Scope))
    assert all(HOLDERS.values())


def test_programs_cannot_have_what_belongs_to_a_customer_and_roles_have_only_scopes_for_people() -> None:
    assert not PROGRAM_SCOPES & CUSTOMER_SCOPES
    assert CUSTOMER_SCOPES < ADMIN_SCOPES <= PERSON_SCOPES

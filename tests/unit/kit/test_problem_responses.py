"""The error responses in the OpenAPI document."""

from typing import Any, ClassVar

from kit.errors import Problem
from kit.problem_responses import problem_responses, take_definitions


class SoldOut(Problem):
    """There is none left."""

    status = 409
    members: ClassVar[dict[str, Any]] = {"left": int}


class Closed(Problem):
    """The shop is closed."""

    status = 409


def test_responses_of_one_operation_do_not_change_those_of_another() -> None:
    before = problem_responses(Closed)
    changed = problem_responses(SoldOut)[409]
    take_definitions(changed)["Problem"].clear()
    assert problem_responses(Closed) == before
    assert list(take_definitions(before[409])) == ["FieldError", "Problem"]


def test_errors_with_the_same_status_are_one_response_with_both_codes_and_the_members() -> None:
    (response,) = problem_responses(SoldOut, Closed, SoldOut).values()
    assert response["description"] == "Conflict\n\n- `sold_out`: There is none left.\n- `closed`: The shop is closed."
    _, own = response["content"]["application/problem+json"]["schema"]["allOf"]
    assert own["properties"] == {
        "code": {"type": "string", "enum": ["sold_out", "closed"]},
        "left": {"type": "integer"},
    }

"""Runtime expressions and conditions of Arazzo, as tests/fixtures/arazzo_expressions.py evaluates them."""

from typing import Any

import httpx
import pytest

from tests.fixtures.arazzo_expressions import Context, UnknownExpression, holds, resolve


@pytest.fixture
def context() -> Context:
    response = httpx.Response(200, json={"status": "Pending", "items": [{"id": 7}], "a/b": None})
    return Context({"email": "ada@example.com"}, {"token": {"value": "t1"}}, response)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$inputs.email", "ada@example.com"),
        ("Bearer {$steps.token.outputs.value}", "Bearer t1"),
        ("$response.body#/items/0/id", 7),
        ("$response.body#/a~1b", None),
        ({"list": ["$statusCode", 1, "text"]}, {"list": [200, 1, "text"]}),
    ],
)
def test_expression_has_the_value(value: Any, expected: Any, context: Context) -> None:
    assert resolve(value, context) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("$statusCode == 200", True),
        ("$statusCode == 503 || $response.body#/status == 'pending'", True),
        ("$statusCode == 200 && $response.body#/status == 'paid'", False),
        ("$response.body#/items/0/id != null", True),
        ("$response.body#/items/1/id != null", False),
    ],
)
def test_condition_holds(condition: str, expected: bool, context: Context) -> None:
    assert holds(condition, context) is expected


@pytest.mark.parametrize("wrong", ["$inputs.name", "$steps.none.outputs.x", "$url", "$response.body#/items/1"])
def test_expression_without_a_value_is_refused(wrong: str, context: Context) -> None:
    with pytest.raises(UnknownExpression):
        resolve(wrong, context)


@pytest.mark.parametrize("wrong", ["$statusCode", "$statusCode < 300", "$statusCode == two"])
def test_condition_that_is_not_a_comparison_is_refused(wrong: str, context: Context) -> None:
    with pytest.raises(UnknownExpression):
        holds(wrong, context)

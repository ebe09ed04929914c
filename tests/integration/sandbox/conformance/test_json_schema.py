from typing import Any

from tests.integration.sandbox.conformance import schemas
from tests.integration.sandbox.conformance.json_schema import Schema, problems
from tests.integration.sandbox.conformance.schemas import list_of


def test_checker_of_invalid_values_finds_the_problems() -> None:
    schema = schemas.object_with(a=schemas.INTEGER, b=list_of(schemas.TIME), c=schemas.nullable(schemas.TEXT))
    assert problems(schema, {"a": 1, "b": ["2026-01-02T03:04:05.678Z"], "c": None}) == []
    wrongs: list[Any] = [
        [],
        {"a": 1, "b": []},
        {"a": True, "b": [], "c": ""},
        {"a": 1, "b": ["x"], "c": ""},
        {"a": 1, "b": [], "c": 1},
    ]
    for wrong in wrongs:
        assert problems(schema, wrong)
    assert problems({"not": {"required": ["x"]}}, {"x": 1})
    assert problems(schemas.one_of(1), 2)
    either = [schemas.TEXT, {"type": ["string", "integer"]}]
    fitting: list[Schema] = [{"anyOf": either}, {"oneOf": either}, {"allOf": either}]
    assert [len(problems(each, 1)) for each in fitting] == [0, 0, 1]
    assert [len(problems(each, "x")) for each in fitting] == [0, 1, 0]
    closed = {"properties": {"a": schemas.TEXT}, "additionalProperties": False, "minProperties": 1}
    assert problems(closed, {"a": ""}) == []
    assert problems(closed, {})
    assert problems(closed, {"b": 1})
    assert problems({"additionalProperties": schemas.TEXT}, {"a": 1})

"""What the documentation names exists: paths, tests, commands, links, variables, routes and metrics."""

import re
from itertools import chain
from pathlib import Path

import pytest

from tests.fixtures.documents import (
    CLASS,
    DOCS,
    METRIC,
    PROJECT,
    cells,
    codes,
    import_levels,
    missing_commands,
    missing_links,
    missing_paths,
    missing_routes,
    missing_tests,
    missing_variables,
    section,
    source,
    spans,
)


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(PROJECT).as_posix())
class TestDocs:
    def test_paths_that_are_named_exist(self, doc: Path) -> None:
        assert missing_paths(doc.read_text()) == []

    def test_tests_that_are_named_exist(self, doc: Path) -> None:
        assert missing_tests(doc.read_text()) == []

    def test_make_commands_that_are_named_exist(self, doc: Path) -> None:
        assert missing_commands(doc.read_text()) == []

    def test_relative_links_and_their_anchors_resolve(self, doc: Path) -> None:
        assert missing_links(doc) == []

    def test_environment_variables_that_are_named_are_read(self, doc: Path) -> None:
        assert missing_variables(doc.read_text()) == []

    def test_routes_that_are_named_exist(self, doc: Path) -> None:
        assert missing_routes(doc.read_text()) == []


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_architecture_names_the_import_levels_of_each_service(service: str) -> None:
    text = section((PROJECT / "docs" / "architecture.md").read_text(), "Import levels")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {service} |")]
    documented = [spans(level) for level in row.split("→")]
    assert documented == import_levels(service)
    modules = {child.name for child in (PROJECT / "services" / service).glob("*.py")}
    folders = {f"{child.parent.name}/" for child in (PROJECT / "services" / service).glob("*/__init__.py")}
    assert set(chain.from_iterable(documented)) | {"__main__.py"} == modules - {"__init__.py"} | folders


def test_operating_documents_exactly_the_metrics_that_the_code_defines() -> None:
    text = section((PROJECT / "docs" / "operating.md").read_text(), "Metrics")
    documented = {re.split(r"\W", span)[0] for cell in cells(text, 0) for span in spans(cell)}
    assert documented == set(METRIC.findall(source("kit", "services")))


def test_error_codes_that_are_documented_exist() -> None:
    text = (PROJECT / "docs" / "integrating.md").read_text()
    errors, keys = section(text, "Errors"), section(text, "Idempotency")
    documented = codes(chain(cells(errors, 1), cells(keys, 0)))
    classes = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in CLASS.findall(source("kit", "services"))}
    literals = source("kit") + (PROJECT / "deploy" / "gateway" / "Caddyfile").read_text()
    assert {code for code in documented - classes if not re.search(rf"\b{code}\b", literals)} == set()


def test_what_does_not_exist_is_found() -> None:
    text = (
        "`kit/{errors,nowhere}.py`, `docs/`, `tests/<area>/none.py`, `test_nothing_at_all`, `make nothing ARGS=1`, `NOT_A_SETTING`, "
        "`GET /payments/{id}`, `GET /nowhere?q=1`"
    )
    assert missing_paths(text) == ["kit/nowhere.py", "tests/<area>/none.py"]
    assert missing_tests(text) == ["test_nothing_at_all"]
    assert missing_commands(text) == ["nothing"]
    assert missing_variables(text) == ["NOT_A_SETTING"]
    assert missing_routes(text) == ["GET /nowhere?q=1"]

"""Check that what the documentation names exists: a promise whose test was renamed shows nothing."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, product
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
CODE_FOLDERS = ("contracts", "kit", "services", "sandbox", "dev", "bench", "deploy")
IGNORED = {".git", ".venv", ".run", ".secrets", "node_modules", "__pycache__"}

ELSEWHERE = re.compile(r"\.env|bench/latest\.json|(?:\.run|\.secrets|\.venv|\.\.)/.*")
"""Written at run time and ignored by git, or outside of the project."""

FORBIDDEN = {"service.py", "utils.py", "helpers.py", "common.py"}
"""Names that CONTRIBUTING.md tells nobody to use."""

SUFFIXES = (".py", ".md", ".yaml", ".yml", ".json", ".toml", ".txt", ".sh", ".ini", ".sql", ".html", ".env", ".example")

SPAN = re.compile(r"`([^`\n]+)`")
INDENTED = re.compile(r"^ {4}(.+)$", re.MULTILINE)
PATH = re.compile(r"[\w.{},*-]+(?:/[\w.{},*<>-]+)*/?")
TEST = re.compile(r"(?:(?P<file>[\w./-]+\.py)::)?(?P<name>test_\w+)")
MAKE = re.compile(r"\bmake (?:[A-Z_]+=\S+ )*([a-z][\w-]*)")
TARGETS = re.compile(r"^([a-z][\w-]*(?: [a-z][\w-]*)*):", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
METRIC = re.compile(r"\b(?:Counter|Gauge|Histogram)\(\s*\"(\w+)\"")
CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)


@cache
def paths() -> frozenset[str]:
    """Return every file and folder of the project, relative to it; folders end in a slash."""
    found: set[str] = set()
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = [name for name in folders if name not in IGNORED and not name.endswith("_cache")]
        relative = Path(folder).relative_to(PROJECT)
        found |= {(relative / name).as_posix() for name in names}
        found |= {f"{(relative / name).as_posix()}/" for name in folders}
    return frozenset(found)


@cache
def tails() -> frozenset[str]:
    """Return every path without any number of its first folders, so that documents may name a path briefly."""
    return frozenset(
        path.split("/", skipped)[-1] for path in paths() for skipped in range(path.rstrip("/").count("/") + 1)
    )


@cache
def source(*folders: str) -> str:
    """Return the text of all Python files in these folders."""
    files = chain.from_iterable((PROJECT / folder).rglob("*.py") for folder in folders)
    return "\n".join(file.read_text() for file in sorted(files))


def spans(text: str) -> list[str]:
    """Return what is written as inline code."""
    return SPAN.findall(text)


def section(text: str, title: str) -> str:
    """Return the text under a heading of the second level."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def cells(text: str, column: int) -> Iterator[str]:
    """Yield one column of every table row, counted from 0."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield re.split(r"(?<!\\)\|", line)[column + 1]


def expand(path: str) -> Iterator[str]:
    """Yield each alternative of a path with braces: `a/{b,c}.py` is `a/b.py` and `a/c.py`."""
    parts = [part[1:-1].split(",") if part.startswith("{") else [part] for part in re.split(r"(\{[^}]*\})", path)]
    return ("".join(chosen) for chosen in product(*parts))


def is_path(span: str) -> bool:
    """Return whether inline code names a file or a folder of the project."""
    if not PATH.fullmatch(span) or ELSEWHERE.fullmatch(span) or span in FORBIDDEN:
        return False
    top = f"{span.partition('/')[0]}/"
    return span.endswith(("/", *SUFFIXES)) or ("/" in span and top in paths())


def exists(path: str) -> bool:
    """Return whether a path exists, from the project or from any folder; `*` and `<name>` stand for one name."""
    pattern = re.sub(r"\\\*|<[\w-]+>", "[^/]+", re.escape(path))
    if pattern == re.escape(path):
        return path in tails() or f"{path}/" in tails()
    return any(re.fullmatch(f"{pattern}/?", known) for known in tails())


def missing_paths(text: str) -> list[str]:
    """Return the files and folders that are named and not there."""
    named = chain.from_iterable(expand(span) for span in spans(text) if is_path(span))
    return sorted({path for path in named if not exists(path)})


def missing_tests(text: str) -> list[str]:
    """Return the test functions that are named, alone or as `file::name`, and not defined."""
    missing = []
    for span in spans(text):
        if found := TEST.fullmatch(span):
            file = PROJECT / (found["file"] or "")
            code = file.read_text() if file.is_file() else "" if found["file"] else source("tests")
            if f"def {found['name']}(" not in code:
                missing.append(span)
    return missing


def missing_commands(text: str) -> list[str]:
    """Return the `make` commands that are named, inline or in a block, and not in the Makefile."""
    targets = set(" ".join(TARGETS.findall((PROJECT / "Makefile").read_text())).split())
    code = [*spans(text), *INDENTED.findall(text)]
    return sorted({verb for line in code for verb in MAKE.findall(line)} - targets)


def anchor(heading: str) -> str:
    """Return the anchor that a heading gets on GitHub."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def missing_links(doc: Path) -> list[str]:
    """Return the relative links whose file or heading is not there."""
    return [link for link in LINK.findall(doc.read_text()) if "://" not in link and not resolves(doc, link)]


def resolves(doc: Path, link: str) -> bool:
    path, _, fragment = link.partition("#")
    target = doc.parent / path if path else doc
    return target.exists() and (not fragment or fragment in map(anchor, HEADING.findall(target.read_text())))


@cache
def settings() -> str:
    """Return, in capitals, all text in which an environment variable may be read or passed on."""
    places = [PROJECT / ".env.example", PROJECT / "docker-compose.yml", PROJECT / "Makefile"]
    return (source(*CODE_FOLDERS) + "".join(place.read_text() for place in places)).upper()


def missing_variables(text: str) -> list[str]:
    """Return the environment variables that are named and read nowhere."""
    named = {span for span in spans(text) if VARIABLE.fullmatch(span)} - {"NAME_FILE"}
    return sorted(name for name in named if not re.search(rf"\b{name}\b", settings()))


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


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_architecture_names_the_import_levels_of_each_service(service: str) -> None:
    text = section((PROJECT / "docs" / "architecture.md").read_text(), "Import levels")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {service} |")]
    documented = [spans(level) for level in row.split("→")]
    assert documented == import_levels(service)
    modules = {child.name for child in (PROJECT / "services" / service).glob("*.py")}
    folders = {f"{child.parent.name}/" for child in (PROJECT / "services" / service).glob("*/__init__.py")}
    assert set(chain.from_iterable(documented)) | {"__main__.py"} == modules - {"__init__.py"} | folders


def import_levels(service: str) -> list[list[str]]:
    """Return the levels that import-linter enforces inside a service, from the top; folders end in a slash."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one.get("containers") == [f"services.{service}"]]
    folder = PROJECT / "services" / service
    levels = [[name.strip() for name in level.split("|")] for level in contract["layers"]]
    return [[f"{name}/" if (folder / name).is_dir() else f"{name}.py" for name in level] for level in levels]


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


def codes(column: Iterable[str]) -> set[str]:
    """Return the inline code of table cells, without the cells of the header."""
    return {span for cell in column for span in spans(cell) if span != "code"}


def test_what_does_not_exist_is_found() -> None:
    text = "`kit/{errors,nowhere}.py`, `docs/`, `tests/<area>/none.py`, `test_nothing_at_all`, `make nothing ARGS=1`, `NOT_A_SETTING`"
    assert missing_paths(text) == ["kit/nowhere.py", "tests/<area>/none.py"]
    assert missing_tests(text) == ["test_nothing_at_all"]
    assert missing_commands(text) == ["nothing"]
    assert missing_variables(text) == ["NOT_A_SETTING"]

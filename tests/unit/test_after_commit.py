"""What is rolled back is neither logged nor counted: log lines and counters in a transaction go through kit/db/after_commit.py."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
THROTTLED = frozenset({"log_throttled", "log_failure"})
COUNTING = frozenset({"inc", "observe"})
REPORTS = LEVELS | THROTTLED | COUNTING
Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_report(node: ast.AST) -> bool:
    """Return True for a call that logs or counts at once."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in THROTTLED
    if not isinstance(node.func, ast.Attribute):
        return False
    is_log = isinstance(node.func.value, ast.Name) and node.func.value.id == "log" and node.func.attr in LEVELS
    return is_log or node.func.attr in COUNTING


def may_report(source: str) -> bool:
    """Return False if a text has no call that `reports_in_transactions` could find. Most files have none, and parsing takes long."""
    return ("AsyncSession" in source or ".begin(" in source) and any(f"{name}(" in source for name in REPORTS)


def has_session(function: Function) -> bool:
    """Return True if a function works in the transaction of its caller."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return any(isinstance(each.annotation, ast.Name) and each.annotation.id == "AsyncSession" for each in arguments)


def begins_transaction(node: ast.AST) -> bool:
    """Return True for `async with sessions.begin() as session`."""
    if not isinstance(node, ast.AsyncWith):
        return False
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "begin" for call in calls)


def before_raise(node: ast.AST) -> set[ast.stmt]:
    """Return the statements of a node that are followed by `raise`: they report the error that ends the transaction."""
    blocks = [block for _, block in ast.iter_fields(node) if isinstance(block, list)]
    return {first for block in blocks for first, second in pairwise(block) if isinstance(second, ast.Raise)}


def reports_in_transactions(node: ast.AST, *, inside: bool = False) -> Iterator[int]:
    """Yield the line numbers of calls in a transaction that log or count at once."""
    if isinstance(node, Function | ast.Lambda):
        inside = isinstance(node, Function) and has_session(node)
    inside = inside or begins_transaction(node)
    if inside and isinstance(node, ast.expr) and is_report(node):
        yield node.lineno
    left_out = before_raise(node)
    for child in ast.iter_child_nodes(node):
        if child not in left_out:
            yield from reports_in_transactions(child, inside=inside)


def test_code_that_logs_or_counts_in_a_transaction_does_so_after_the_commit() -> None:
    paths = [path for folder in ("kit", "services") for path in sorted((ROOT / folder).rglob("*.py"))]
    sources = {path: path.read_text() for path in paths}
    found = {
        path: list(reports_in_transactions(ast.parse(source))) for path, source in sources.items() if may_report(source)
    }
    assert [f"{path.relative_to(ROOT)}:{line}" for path, lines in found.items() for line in lines] == []


@pytest.mark.parametrize(
    "code",
    [
        "async def f(session: AsyncSession):\n    if x:\n        counter.labels('a').inc()",
        "async def f(session: AsyncSession):\n    log.info('done')",
        "async def f():\n    async with self.sessions.begin() as session:\n        log_throttled(log.info, 'x', about=1)",
    ],
)
def test_code_that_logs_before_the_commit_is_found(code: str) -> None:
    assert len(list(reports_in_transactions(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "async def f(session: AsyncSession):\n    after_commit(session, counter.inc)",
        "async def f(session: AsyncSession):\n    log.warning('taken')\n    raise Taken",
        "async def f():\n    async with sessions.begin() as session:\n        pass\n    log.info('done')",
    ],
)
def test_code_that_logs_after_the_commit_or_about_its_error_is_not_found(code: str) -> None:
    assert list(reports_in_transactions(ast.parse(code))) == []

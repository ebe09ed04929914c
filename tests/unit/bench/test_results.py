"""The results of a run: each bar of auth is in the tables, and in the file from which docs/performance.md is written."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import report
from bench.auth import MeasuredWork
from bench.intake import MeasuredServer
from bench.load import Round, Target
from bench.purchases import Latency
from bench.results import Measured, Results
from bench.routes import MeasuredRoute
from bench.worst_queries import WorstQueries


def rounds(*rates: int) -> list[Round]:
    return [Round(0.0, seconds=1.0, accepted=rate, answer_seconds=[0.1, 0.2]) for rate in rates]


async def no_work(_: float) -> Round:
    raise AssertionError


def measured_results() -> Results:
    route = {name: MeasuredRoute(name, Target(1, "/")) for name in ("open", "closed", "GET /auth/me", "users")}
    servers = [MeasuredServer(name, Target(1, "/")) for name in ("raw", "noop", "intake", "two")]
    works = {
        name: MeasuredWork(name, no_work)
        for name in ("logins", "bcrypt alone", "refresh", "statements", "unsigned", "orders", "on asyncpg")
    }
    everything: list[Measured] = [*route.values(), *servers, *works.values()]
    for measured in everything:
        measured.rounds = rounds(100, 100)
    works["logins"].rounds, route["GET /auth/me"].rounds = rounds(80, 90), rounds(150, 300)
    return Results(
        0.0,
        servers=servers,
        routes=[route["open"], route["closed"]],
        account_routes=[route["GET /auth/me"], route["users"]],
        logins=[works["logins"], works["bcrypt alone"]],
        refreshes=[works["refresh"], works["statements"], works["unsigned"]],
        orders=[works["orders"], works["on asyncpg"]],
        other_account=([100.0, 100.0], [50.0, 60.0]),
        auth_growth=21.5,
        latency=Latency([0.1, 0.2], [0.1, 0.2]),
        shop=[1.0],
        baseline=[1.0],
        verified=([1.0], [1.0]),
    )


def test_ratios_of_auth_and_orders_have_their_bars() -> None:
    found = {ratio.name: (ratio.rounds, ratio.expected_minimum) for ratio in measured_results().ratios()}
    assert found["logins / bcrypt alone"] == ([0.8, 0.9], 0.85)
    assert found["refresh / statements"] == ([1.0, 1.0], 0.5)
    assert found["orders / same statements"] == ([1.0, 1.0], 0.4)
    assert found["orders during 1,500 attempts of another account / alone"] == ([0.5, 0.6], 0.5)
    assert found["GET /auth/me / users"] == ([1.5, 3.0], 1.5)


def test_ratios_of_products_have_their_bars() -> None:
    results = measured_results()
    rates = {"list": 90, "asyncpg": 180, "django": 45, "304": 80}
    routes = {name: MeasuredRoute(name, Target(1, "/"), rounds=rounds(rate, rate)) for name, rate in rates.items()}
    unchanged = routes.pop("304")
    results.product_routes = {"list": [*routes.values()], "unchanged": [unchanged]}
    found = {ratio.name: (ratio.rounds, ratio.expected_minimum) for ratio in results.ratios()}
    assert found["list / asyncpg"] == ([0.5, 0.5], 0.45)
    assert found["list / django"] == ([2.0, 2.0], 2.0)
    assert found["304 / open"] == ([0.8, 0.8], 0.7)
    assert {"list", "asyncpg", "django", "304"} <= results.rates().keys()


def test_ratios_of_slow_lists_when_measured_then_they_compare_the_99th_percentiles() -> None:
    results = measured_results()
    assert not [ratio for ratio in results.ratios() if "slow lists" in ratio.name]
    results.worst_queries = WorstQueries({"orders": [0.01] * 50}, {"orders": [0.02] * 200}, rounds(10)[0])
    (ratio,) = [ratio for ratio in results.ratios() if "slow lists" in ratio.name]
    assert (ratio.name, ratio.expected_minimum) == ("orders: p99 quiet / during slow lists", 0.33)
    assert ratio.value == pytest.approx(0.5)


def test_report_when_auth_has_grown_too_much_then_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "LATEST", tmp_path / "latest.json")
    console = Console(file=io.StringIO(), width=200)
    report.show(measured_results(), console)
    text = "after 10,000 attacked user names and 1,000 sessions: +21.5 MB (bar: at most +20 MB)"
    assert f"auth's memory {text}: missed" in console.file.getvalue()  # type: ignore[attr-defined]
    report.write(measured_results(), quick=False)
    assert json.loads((tmp_path / "latest.json").read_text())["auth_memory"] == text

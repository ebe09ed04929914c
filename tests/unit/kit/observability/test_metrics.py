"""The metrics of every process."""

import platform
import tomllib

import httpx
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from dev import PROJECT
from kit.version import VERSION


def test_version_is_the_version_in_pyproject() -> None:
    assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_build_info_has_the_versions_of_the_code_and_of_python() -> None:
    labels = {"version": VERSION, "python": platform.python_version()}
    assert REGISTRY.get_sample_value("build_info", labels) == 1


async def test_durations_are_measured_by_route_template_up_to_a_minute(client: httpx.AsyncClient) -> None:
    await client.get("/fine")
    await client.get("/nowhere/4711")
    families = {family.name: family for family in text_string_to_metric_families((await client.get("/metrics")).text)}
    samples = families["http_request_duration_seconds"].samples
    routes = {sample.labels["route"] for sample in samples}
    assert {"/fine", "unmatched"} <= routes
    assert not any("4711" in route for route in routes)
    limits = {
        float(sample.labels["le"]) for sample in samples if sample.labels["route"] == "/fine" and "le" in sample.labels
    }
    assert {0.005, 1.0, 10.0, 30.0, 60.0, float("inf")} <= limits

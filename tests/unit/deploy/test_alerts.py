"""The alert rules use metrics that exist, and there is one for each metric that the documentation calls worth an alert."""

import re
from typing import Any

import yaml

from tests.fixtures.documents import METRIC, PROJECT, section, source

NOT_METRICS = {
    "max",
    "sum",
    "min",
    "increase",
    "delta",
    "absent",
    "or",
    "by",
    "job",
    "inbox",
    "queue",
    "status",
    "failed",
}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROJECT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics_of(rule: dict[str, Any]) -> set[str]:
    expression = re.sub(r"\[[^]]*]|\{[^}]*}", "", rule["expr"])
    return set(re.findall(r"[a-z_]{2,}", expression)) - NOT_METRICS


def test_alert_rules_use_metrics_that_exist() -> None:
    existing = set(METRIC.findall(source("kit", "services")))
    for rule in rules():
        assert metrics_of(rule)
        assert metrics_of(rule) <= existing, rule["alert"]
        assert rule["annotations"]["summary"]


def test_every_metric_that_is_worth_an_alert_has_a_rule() -> None:
    text = section((PROJECT / "docs" / "operating.md").read_text(), "Metrics").partition(
        "The others are for dashboards"
    )[0]
    documented = set(re.findall(r"^\| `(\w+)", text, re.MULTILINE))
    used = {metric for rule in rules() for metric in metrics_of(rule)}
    assert documented == used
    assert {"refunds_that_need_an_operator", "refunds_refused"} <= used

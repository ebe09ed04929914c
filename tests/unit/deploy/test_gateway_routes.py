"""Paths of the services that the gateway must not route."""

import re
from pathlib import Path

from dev.merged_openapi import INTERNAL, is_routed

CADDYFILE = (Path(__file__).parents[3] / "deploy" / "gateway" / "Caddyfile").read_text()


def test_revocation_list_is_not_routed_and_not_in_the_document_of_the_gateway() -> None:
    matcher = re.search(r"@internal path (.*)\n\t\terror @internal 404\n", CADDYFILE)
    assert matcher
    assert set(INTERNAL) == {"/auth/revocations"} <= set(matcher[1].split())
    assert matcher.end() < CADDYFILE.index("@auth path"), "directives of a route run in their order"
    assert not is_routed("auth", "/auth/revocations")
    assert is_routed("auth", "/auth/sessions")

"""Paths of the services that the gateway must not route."""

import re
from pathlib import Path

from dev.merged_openapi import INTERNAL, ROUTED, is_routed

GATEWAY = Path(__file__).parents[3] / "deploy" / "gateway"
CADDYFILE = (GATEWAY / "Caddyfile").read_text()
NGINX = (GATEWAY / "nginx.conf").read_text()


def test_paths_for_services_only_are_not_routed_and_not_in_the_document_of_the_gateway() -> None:
    matcher = re.search(r"@internal path (.*)\n\t\terror @internal 404\n", CADDYFILE)
    assert matcher
    assert set(INTERNAL) == {"/auth/revocations", "/auth/check"}
    assert {f"{path}{rest}" for path in INTERNAL for rest in ("", "/*")} == set(matcher[1].split())
    assert set(re.findall(r"location (/\S+) \{ return 404; \}", NGINX)) == set(INTERNAL)
    assert matcher.end() < CADDYFILE.index("@auth path"), "directives of a route run in their order"
    assert not any(is_routed("auth", path) for path in INTERNAL)
    assert is_routed("auth", "/auth/sessions")


def test_nginx_routes_the_same_prefixes_as_caddy() -> None:
    routed = re.findall(r"location (/\S+) \{ proxy_pass http://(\w+); \}", NGINX)
    assert sorted(routed) == sorted((prefix, service) for service, prefixes in ROUTED.items() for prefix in prefixes)

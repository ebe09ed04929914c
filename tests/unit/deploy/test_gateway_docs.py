"""The page /docs of the gateway loads only files of the gateway, as its Content-Security-Policy demands."""

import re
from pathlib import Path

GATEWAY = Path(__file__).parents[3] / "deploy" / "gateway"
ROUTES = re.compile(r"@docs \{\s+path (.*)")


def test_page_loads_only_what_the_gateway_publishes() -> None:
    page = (GATEWAY / "docs.html").read_text()
    caddyfile = (GATEWAY / "Caddyfile").read_text()
    routes = ROUTES.search(caddyfile)
    assert routes
    paths = routes[1].split()
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(loaded) == 4
    assert [url for url in loaded if url not in paths and not url.startswith("/static-offline-docs/")] == []
    assert re.findall(r"<script(?! src=)|<style|\son\w+=|style=", page) == []
    assert '"/openapi.json"' in (GATEWAY / "docs.js").read_text()
    assert "/openapi.json" in paths

"""The programs of docs/integrating.md, as they are written there, against the running services."""

import asyncio
import json
import os
import re
import shutil
import sys
from uuid import uuid4

import pytest

from dev import PROJECT
from dev.cli.programs import create_program
from tests.fixtures.documents import section
from tests.fixtures.stack_client import Json, StackClient

pytestmark = pytest.mark.usefixtures("invariants")
PAGE = (PROJECT / "docs" / "integrating.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:^(?: {4}.*)?\n)+", re.MULTILINE)
SECONDS = 90.0


def program(title: str, beginning: str) -> str:
    """Return the indented program of a section that begins with this text."""
    blocks = [re.sub("^    ", "", found, flags=re.MULTILINE).strip() for found in BLOCK.findall(section(PAGE, title))]
    (found,) = [block for block in blocks if block.startswith(beginning)]
    return found


async def run(*command: str, environment: Json) -> list[str]:
    """Run a program with the addresses of the services, and return the lines that it prints."""
    names = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **environment}
    process = await asyncio.create_subprocess_exec(
        *command, env=names, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return output.decode().splitlines()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_purchases_with_curl_when_run_are_delivered(shop: StackClient) -> None:
    commands = [program("The purchase with curl", "field()"), program("A guest buys", "GUEST=")]
    environment = {**shop.env, "TOKEN": shop.bearer()["Authorization"].removeprefix("Bearer ")}
    lines = await run("bash", "-euc", "\n".join(commands), environment=environment)
    assert lines.count("delivered") == 2, lines


async def test_purchase_of_a_guest_with_httpx_when_run_is_delivered_and_moves_to_the_account(shop: StackClient) -> None:
    product = await shop.product()
    text = program("A guest buys", "import os")
    lines = await run(sys.executable, "-c", text, environment={**shop.env, "PRODUCT": product["id"]})
    assert (len(lines), lines[0]) == (2, "delivered"), lines
    assert re.fullmatch(r"\w{4}-\w{4}", lines[1])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_purchases_of_a_server_for_its_customers_with_curl_and_with_httpx_when_run_are_delivered(
    shop: StackClient,
) -> None:
    title = "A server that sells for its customers"
    client_id, scopes = f"merchant-{uuid4().hex[:8]}", ("orders:write_for", "payments:write_for")
    secret = await create_program(shop.env["AUTH_URL"], shop.env["AUTH_DATABASE_URL"], client_id, *scopes)
    product = await shop.product()
    environment = {**shop.env, "CLIENT_ID": client_id, "CLIENT_SECRET": secret, "PRODUCT": product["id"]}
    functions = "\n".join(program("The purchase with curl", "field()").splitlines()[:2])
    lines = await run("bash", "-euc", f"{functions}\n{program(title, 'TOKEN=')}", environment=environment)
    (order,) = json.loads(lines[-1])["items"]
    assert (order["status"], order["metadata"]) == ("delivered", {"basket": "17"})
    assert (order["customer"]["id"], order["customer"]["external_id"]) == (client_id, "c-1017")
    (number,) = await run(sys.executable, "-c", program(title, "import os"), environment=environment)
    url = f"{shop.env['CATALOG_URL']}/catalog/orders/{number}"
    second = (await shop.call("GET", url, headers=shop.admin, expect=200)).json()
    assert (second["status"], second["customer"]["id"]) == ("delivered", client_id)
    assert second["id"] != order["id"]

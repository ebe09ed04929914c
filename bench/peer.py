"""The peer, a comparable product: paystack-django under gunicorn, in its own virtual environment, on the same Postgres server.

The project is created by `django-admin startproject` and configured as in the package's README, with one sync worker.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from bench.intake import MeasuredServer
from bench.load import Target
from bench.peer_environment import PeerEnvironment
from bench.processes import run_once, running
from dev.process import ports

ENVIRONMENT = PeerEnvironment("paystack-django==2.0.1", "Django==5.2.19", "gunicorn==27.0.1", "psycopg[binary]==3.3.9")
CONNECTIONS = {"default settings": "0", "persistent connections": "None"}
"""Django's CONN_MAX_AGE. By default, Django opens a new database connection for every request."""

SETTINGS = """
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS += ["djpaystack"]
PAYSTACK = {{"SECRET_KEY": {key!r}, "PUBLIC_KEY": "pk_test_0000000000", "ENVIRONMENT": "test"}}
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "HOST": {host!r}, "PORT": {port!r}, "NAME": {name!r}, "USER": {user!r}, "PASSWORD": {password!r},
        "CONN_MAX_AGE": {age},
    }}
}}
"""
URLS = """
from django.urls import include
urlpatterns += [path("paystack/", include("djpaystack.webhooks.urls"))]
"""


@asynccontextmanager
async def run_peers(python: Path, database_url: str, key: str) -> AsyncIterator[list[MeasuredServer]]:
    """Run the peer twice: with Django's default of one connection per request, and with persistent connections."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="shop-peer-"))
    database = await asyncpg.connect(database_url, timeout=5)

    async def stored() -> int:
        # An event counts only if it is in both tables and was processed.
        query = "SELECT count(*) FROM djpaystack_paystackwebhookevent JOIN djpaystack_paystacktransaction"
        return int(await database.fetchval(f"{query} ON data -> 'data' ->> 'reference' = reference WHERE processed"))

    async with AsyncExitStack() as closing:
        closing.push_async_callback(asyncio.to_thread, shutil.rmtree, folder, ignore_errors=True)
        closing.push_async_callback(database.close, timeout=5)
        servers: list[MeasuredServer] = []
        for name, age in CONNECTIONS.items():
            (port,) = ports.reserve_free(1)
            project = folder / f"age_{age}"
            await asyncio.to_thread(project.mkdir)
            await run_once("startproject", [str(python), "-m", "django", "startproject", "shop", str(project)], {})
            await asyncio.to_thread(_configure, project, database_url, key, age)
            if not servers:
                await run_once("migrate", [str(python), "manage.py", "migrate", "--verbosity=0"], {}, cwd=project)
            command = [str(python), "-m", "gunicorn", "shop.wsgi", "-w", "1", "-b", f"127.0.0.1:{port}"]
            await closing.enter_async_context(running(f"gunicorn, {name}", command, {}, port, project))
            servers.append(MeasuredServer(f"paystack-django, {name}", Target(port, "/paystack/webhook/"), stored))
        yield servers


def _configure(project: Path, database_url: str, key: str, age: str) -> None:
    url = urlsplit(database_url)
    settings = SETTINGS.format(
        key=key, host=url.hostname, port=url.port, name=url.path[1:], user=url.username, password=url.password, age=age
    )
    for name, text in (("settings.py", settings), ("urls.py", URLS)):
        with (project / "shop" / name).open("a") as file:
            file.write(text)

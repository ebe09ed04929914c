"""The peer of a route that needs an access token: fastapi-users, whose `current_user` reads the account from Postgres for each request.

The app is the SQLAlchemy example of its documentation, with a JWT, asyncpg and one process. It needs SQLAlchemy below 2.1, so it cannot be
installed beside our packages.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from bench.load import Target
from bench.peer_environment import PeerEnvironment
from bench.processes import running
from bench.routes import ACCOUNT_CONNECTIONS, MeasuredRoute
from dev.process import ports

ENVIRONMENT = PeerEnvironment(
    "fastapi-users[sqlalchemy]==15.0.5",
    "fastapi==0.165.0",
    "starlette==1.10.0",
    "SQLAlchemy==2.0.58",
    "asyncpg==0.32.0",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
)
APP = """
import os, uuid
from contextlib import asynccontextmanager
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = os.environ["PEER_SECRET"]
engine = create_async_engine(os.environ["PEER_DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:"))
sessions = async_sessionmaker(engine, expire_on_commit=False)

class Base(DeclarativeBase):
    pass

class User(SQLAlchemyBaseUserTableUUID, Base):
    pass

async def get_user_db():
    async with sessions() as session:
        yield SQLAlchemyUserDatabase(session, User)

class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = verification_token_secret = SECRET

async def get_user_manager(user_db=Depends(get_user_db)):
    yield UserManager(user_db)

backend = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/login"),
    get_strategy=lambda: JWTStrategy(secret=SECRET, lifetime_seconds=3600),
)
users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])

@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield

app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth")
app.include_router(users.get_register_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate), prefix="/auth")
app.include_router(users.get_users_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserUpdate), prefix="/users")

@app.get("/closed")
async def closed(user: User = Depends(users.current_user(active=True))):
    return {"status": "ok"}
"""
EMAIL, PASSWORD = "peer@example.com", "correct horse battery"


@asynccontextmanager
async def run_users_peer(
    python: Path, database_url: str, secret: str
) -> AsyncIterator[tuple[MeasuredRoute, MeasuredRoute]]:
    """Run the peer, register an account, and yield the route that does nothing and GET /users/me, with its token."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="shop-users-peer-"))
    (port,) = ports.reserve_free(1)
    async with AsyncExitStack() as closing:
        closing.callback(ports.release, [port])
        closing.push_async_callback(asyncio.to_thread, shutil.rmtree, folder, ignore_errors=True)
        await asyncio.to_thread((folder / "users_app.py").write_text, APP)
        command = [str(python), "-m", "uvicorn", "users_app:app", "--port", str(port), "--no-access-log"]
        environment = {"PEER_DATABASE_URL": database_url, "PEER_SECRET": secret}
        await closing.enter_async_context(running("fastapi-users", command, environment, port, folder))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            account = {"email": EMAIL, "password": PASSWORD}
            (await client.post("/auth/register", json=account)).raise_for_status()
            login = {"username": EMAIL, "password": PASSWORD}
            answer = (await client.post("/auth/login", data=login)).raise_for_status()
        token = answer.json()["access_token"]
        yield (
            MeasuredRoute("fastapi-users, current_user", Target(port, "/closed"), token),
            MeasuredRoute("fastapi-users, GET /users/me", Target(port, "/users/me", ACCOUNT_CONNECTIONS), token),
        )

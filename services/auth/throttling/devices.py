"""Known devices: a device that has logged in to an account is not affected by the guesses of others.

A login returns a device token. Logins with this token, to the same account, are exempt from the limits of the address and of the user name;
each device has a limit of its own. The token is no credential: a login needs the password too.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Response
from sqlalchemy import LargeBinary, Uuid, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import table_of
from services.auth.models import Account
from services.auth.settings import settings
from services.auth.throttling.models import Device

DEVICE_COOKIE = "device_token"
DEVICE_LIFETIME = timedelta(days=90)
"""How long a device is known after its last login."""

MAX_DEVICES = 100
"""The maximum number of devices of an account. One more replaces the device whose last login is the longest ago."""

DEVICE_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device from which this account has logged in."""

    account_id: UUID
    token: str
    token_digest: bytes


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def find(db: AsyncSession, token: str | None, email: str) -> KnownDevice | None:
    """Return the device of a token, or None if the account with this normalized e-mail address does not know it."""
    if token is None or not DEVICE_TOKEN.fullmatch(token):
        return None
    digest = _digest(token)
    account_id = await db.scalar(
        select(Device.account_id)
        .join(Account, Account.id == Device.account_id)
        .where(Device.token_digest == digest, Device.expires_at > func.now(), Account.email == email)
    )
    return None if account_id is None else KnownDevice(account_id, token, digest)


_DEVICES = table_of(Device)
_ROW = _DEVICES.c
_DIGEST, _ACCOUNT = bindparam("of_digest", type_=LargeBinary), bindparam("of_account", type_=Uuid)
# These statements are built once: building them takes longer than the database needs.
_EXTEND = (
    update(_DEVICES)
    .where(_ROW.token_digest == _DIGEST)
    .values(last_login_at=func.now(), expires_at=func.now() + DEVICE_LIFETIME)
    .returning(_ROW.token_digest)
)
_ADD = insert(_DEVICES).values(token_digest=_DIGEST, account_id=_ACCOUNT, expires_at=func.now() + DEVICE_LIFETIME)
_NEWEST_FIRST = select(_ROW.token_digest).where(_ROW.account_id == _ACCOUNT).order_by(_ROW.last_login_at.desc())
_SURPLUS = _NEWEST_FIRST.offset(MAX_DEVICES).with_for_update(skip_locked=True).cte("surplus")
_FORGET_SURPLUS = delete(_DEVICES).where(_ROW.token_digest.in_(select(_SURPLUS)))


async def remember(db: AsyncSession, account_id: UUID, known: KnownDevice | None) -> str:
    """Return the device token of a login that succeeded: that of the known device, which is valid longer now, or a new one."""
    if known is not None and await db.scalar(_EXTEND, {"of_digest": known.token_digest}) is not None:
        return known.token
    token = secrets.token_urlsafe(32)
    await db.execute(_ADD, {"of_digest": _digest(token), "of_account": account_id})
    await db.execute(_FORGET_SURPLUS, {"of_account": account_id})
    return token


def set_cookie(response: Response, device_token: str) -> None:
    """Let a browser keep the device token. Scripts cannot read the cookie, and other sites cannot make the browser send it."""
    response.set_cookie(
        DEVICE_COOKIE,
        device_token,
        max_age=int(DEVICE_LIFETIME.total_seconds()),
        path="/auth",
        secure=settings.token_issuer.startswith("https://"),
        httponly=True,
        samesite="strict",
    )


async def forget_all(db: AsyncSession, account_id: UUID, keep: str | None = None) -> None:
    """Forget the devices of an account, because another person may have logged in. `keep`: the token of a device that stays known."""
    forgotten = delete(Device).where(Device.account_id == account_id)
    if keep is not None and DEVICE_TOKEN.fullmatch(keep):
        forgotten = forgotten.where(Device.token_digest != _digest(keep))
    await db.execute(forgotten)


async def delete_expired(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired devices. Return their number. Skip those that another worker is deleting."""
    expired = select(Device.token_digest).where(Device.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(Device).where(Device.token_digest.in_(select(locked))).returning(Device.token_digest)
    )
    return len(deleted.all())

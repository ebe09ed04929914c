"""The SQL statements of refresh tokens (refresh_tokens.py). They are built once: each session refreshes its tokens every few minutes."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Interval, LargeBinary, Text, Uuid, and_, bindparam, func, insert, or_, select, update

from kit.db.bulk import table_of
from kit.db.driver import DriverStatement
from kit.db.sql_types import AnyColumn
from services.auth.clients.models import Client
from services.auth.models import BANNED, Account, Role
from services.auth.sessions.models import LoginSession
from services.auth.settings import settings

ABSOLUTE_LIFETIME = timedelta(days=90)
RETRY_PERIOD = timedelta(seconds=10)
"""How long after its first use a token returns the same child."""

_SESSIONS, _ACCOUNTS, _ROLES, _CLIENTS = (table_of(model) for model in (LoginSession, Account, Role, Client))
_USE: Mapping[str, AnyColumn] = {
    "device": bindparam("new_device", type_=Text),
    "address": bindparam("new_address", type_=Text),
    "last_used_at": func.now(),
    "access_expires_at": func.now() + timedelta(seconds=settings.auth_access_token_seconds),
}
"""The columns that change when an access token is issued."""

_LIFETIME = bindparam("lifetime", type_=Interval)
LOCK_UNCHANGED_ACCOUNT = (
    select(BANNED, Account.banned_until)
    .where(
        Account.id == bindparam("account_id", type_=Uuid),
        Account.password_hash.is_not_distinct_from(bindparam("read_hash", type_=Text)),
        Account.role == bindparam("read_role", type_=Text),
    )
    .with_for_update(read=True)
)
INSERT_SESSION = insert(_SESSIONS).values(
    token_prefix=bindparam("new_token_prefix", type_=Text),
    sid=bindparam("new_sid", type_=Text),
    account_id=bindparam("new_account_id", type_=Uuid),
    client_id=bindparam("new_client_id", type_=Text),
    secret_digest=bindparam("new_digest", type_=LargeBinary),
    scope=bindparam("new_scope", type_=Text),
    idle_lifetime=_LIFETIME,
    expires_at=func.now() + _LIFETIME,
    absolute_expires_at=func.now() + ABSOLUTE_LIFETIME,
    **_USE,
)

_VALID = (
    _SESSIONS.c.token_prefix == bindparam("sent_prefix", type_=Text),
    _SESSIONS.c.expires_at > func.now(),
    _ACCOUNTS.c.id == _SESSIONS.c.account_id,
    _ROLES.c.name == _ACCOUNTS.c.role,
    _CLIENTS.c.id == _SESSIONS.c.client_id,
)
_GRANTED = (
    *(_SESSIONS.c.account_id, _SESSIONS.c.client_id, _SESSIONS.c.sid),
    *(_SESSIONS.c.scope, _ROLES.c.scope.label("role_scope"), _CLIENTS.c.scope.label("client_scope")),
    *(_ACCOUNTS.c.email, _ACCOUNTS.c.email_verified_at.is_not(None).label("email_verified"), _ACCOUNTS.c.name),
)
_SENT, _CHILD = bindparam("sent_digest", type_=LargeBinary), bindparam("child_digest", type_=LargeBinary)
_SENDING_CLIENT = bindparam("sending_client_id", type_=Text)

ROTATE = (
    update(_SESSIONS)
    .where(
        *_VALID,
        _SESSIONS.c.secret_digest == _SENT,
        or_(_SENDING_CLIENT.is_(None), and_(_SESSIONS.c.client_id == _SENDING_CLIENT, _CLIENTS.c.public)),
    )
    .values(
        secret_digest=_CHILD,
        parent_digest=_SESSIONS.c.secret_digest,
        rotated_at=func.now(),
        expires_at=func.least(func.now() + _SESSIONS.c.idle_lifetime, _SESSIONS.c.absolute_expires_at),
        **_USE,
    )
    .returning(*_GRANTED)
)
"""Replace the secret of a session, and return the claims of the access token."""

ROTATE_WITHOUT_TRANSACTION = DriverStatement(ROTATE)

SELECT_REPEATED = select(*_GRANTED).where(
    *_VALID,
    _SESSIONS.c.parent_digest == _SENT,
    # Both are compared: after a change of the refresh token key, the derived child is not the one that was issued.
    _SESSIONS.c.secret_digest == _CHILD,
    _SESSIONS.c.rotated_at > func.clock_timestamp() - RETRY_PERIOD,
)
"""Select the same claims for a parent token that is sent again within RETRY_PERIOD. It changes nothing."""

"""The status token of an order: its holder can read the status of the order without logging in.

The token is the encrypted id of the order (AES-SIV, RFC 5297), so it is stored nowhere, and it stays the same for the life of the order.
Its 128-bit authentication tag cannot be guessed.
"""

import base64
import hashlib
import re
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from services.catalog.settings import settings

LENGTH = 43
"""The number of characters of a token: 32 bytes in base64url."""

_PURPOSE = [b"status token of an order"]
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{LENGTH}}}")


class StatusTokens:
    """Encrypts and decrypts the ids of orders. scrypt makes each guess of a weak secret expensive for a buyer who has a token."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESSIV(hashlib.scrypt(secret.encode(), salt=_PURPOSE[0], n=2**14, r=8, p=1, dklen=32))

    def token_of(self, order_id: UUID) -> str:
        """Return the token of an order."""
        return base64.urlsafe_b64encode(self._cipher.encrypt(order_id.bytes, _PURPOSE)).decode().rstrip("=")

    def order_of(self, token: str) -> UUID | None:
        """Return the id of the order with this token, or None if no order can have it."""
        if _TOKEN.fullmatch(token) is None:
            return None
        try:
            order_id = UUID(bytes=self._cipher.decrypt(base64.urlsafe_b64decode(f"{token}="), _PURPOSE))
        except InvalidTag:
            return None
        # The last character has two bits that are not part of the 32 bytes.
        return order_id if self.token_of(order_id) == token else None


@lru_cache(maxsize=1)
def status_tokens() -> StatusTokens:
    """Return the StatusTokens of this service. The first call takes 50 ms of CPU time, so the app makes it before its first request.

    Without CATALOG_STATUS_TOKEN_SECRET, the secret is the URL of the database, which all processes of the service have.
    """
    secret = settings.catalog_status_token_secret or settings.catalog_database_url
    return StatusTokens(secret.get_secret_value())

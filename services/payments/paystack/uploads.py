"""Upload files for Paystack."""

import asyncio

import httpx

from kit.http.client import HttpClient
from services.payments.paystack.errors import NoAnswer, Refused

UPLOAD_SECONDS = 60.0


async def put_file(url: str, content: bytes) -> None:
    """PUT a file to a signed upload URL. The request does not contain our secret key, because the URL can be on another host.

    Raises Refused, and NoAnswer after a 5xx, a network error or UPLOAD_SECONDS.
    """
    try:
        async with asyncio.timeout(UPLOAD_SECONDS), HttpClient(timeout=UPLOAD_SECONDS) as client:
            response = await client.put(url, content=content)
    except (httpx.HTTPError, TimeoutError) as error:
        raise NoAnswer(f"the file was not uploaded: {type(error).__name__}: {error}") from error
    if response.status_code >= 500:
        raise NoAnswer(f"the file was not uploaded: HTTP {response.status_code}")
    if not response.is_success:
        raise Refused(response.status_code, "", f"the file was not uploaded: HTTP {response.status_code}")

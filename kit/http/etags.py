"""Conditional GET requests with strong entity tags (RFC 9110 section 13)."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from kit.problem_responses import Responses

NOT_MODIFIED: Responses = {
    304: {"description": "The document has not changed since the response whose `ETag` is in `If-None-Match`"}
}
"""For `responses` of a route that returns `conditional_response`."""


def strong_etag(content: bytes) -> str:
    """Return an entity tag that is equal for equal bytes only."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_current(if_none_match: str, etag: str) -> bool:
    """Return whether one of the tags in `If-None-Match` is `etag`. The comparison is weak: a proxy that compresses adds `W/`."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def conditional_response(request: Request, content: bytes, *, media_type: str, cache_control: str) -> Response:
    """Return the content with its ETag, or 304 without content if the client has it already."""
    etag = strong_etag(content)
    headers = {"ETag": etag, "Cache-Control": cache_control}
    if is_current(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)

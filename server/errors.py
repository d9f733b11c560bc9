"""Errors of the HTTP side: always JSON, always `{"error": …, "code": …}`, never an internal detail.

Where the family of the path has it so, `details` come with them, and invalid input has the family's own status.
"""

from __future__ import annotations

from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.gate.families import family_of

log = structlog.get_logger(__name__)

CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    402: "PAYMENT_REQUIRED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    410: "GONE",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "BAD_REQUEST",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


def error_response(
    status: int,
    message: str | None = None,
    *,
    code: str | None = None,
    path: str = "",
    details: str | None = None,
    reason: str | None = None,
) -> JSONResponse:
    """An error as every client gets it; without a message, the status's own words. `path` says which family asks."""
    message = message or HTTPStatus(status).phrase
    content = {"error": message, "code": code or CODES.get(status, f"HTTP_{status}")}
    if reason is not None:
        content["reason"] = reason
    family = family_of(path)
    if family is not None and family.value.details:
        content["details"] = details or message
    if status == 400 and family is not None:
        status = family.value.invalid
    return JSONResponse(content, status)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's handler for `HTTPException`: unknown paths, wrong methods, and what endpoints raise."""
    if not isinstance(error, HTTPException):  # registered for that class alone
        raise error
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=error.headers)
    response = error_response(error.status_code, error.detail, path=request.url.path)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def on_failure(request: Request, error: Exception) -> Response:
    """Starlette's handler for everything else: the cause goes to the log, not to the client."""
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return error_response(500, "Internal error", path=request.url.path)

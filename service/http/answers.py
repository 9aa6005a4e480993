"""One log line a request, and a short JSON error that repeats nothing of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from .keys import LOG_FIELDS

log = structlog.get_logger()

# By machines, every few seconds.
POLLED = ("/health", "/metrics")


class Refusal(Exception):
    """Ends the request with this status and error."""

    def __init__(
        self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers


def error_response(
    status: int, error: str, message: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.json_response({"error": error, "message": message}, status=status, headers=headers)


class JsonRequestHandler(web.RequestHandler):
    """aiohttp's own, whose answer to what isn't HTTP would quote it in plain text."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        log.warning("malformed_request", status=status, errorType=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is already on its way")
        response = error_response(status, "malformed_request", "The request is not HTTP.")
        response.force_close()
        return response


@web.middleware
async def answer_in_json(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    started = time.perf_counter()
    fields = request[LOG_FIELDS] = {}
    response: web.StreamResponse
    try:
        response = await handler(request)
    except Refusal as refusal:
        fields["error"] = refusal.error
        response = error_response(refusal.status, refusal.error, refusal.message, refusal.headers)
    except web.HTTPException as exc:
        error = exc.reason.lower().replace(" ", "_")
        response = error_response(exc.status, error, f"{exc.reason}.")
        if "Allow" in exc.headers:
            response.headers["Allow"] = exc.headers["Allow"]
    except ConnectionError:
        raise  # nobody is left to answer
    except Exception:
        log.exception("unexpected_error")
        response = error_response(500, "internal_error", "The service has a fault.")

    resource = request.match_info.route.resource
    write = log.debug if resource and resource.canonical in POLLED else log.info
    if response.status >= 400:
        write = log.warning if response.status < 500 else log.error
    write(
        "request",
        method=request.method,
        # The path of the route, since what a stranger asks for could be anything.
        path=resource.canonical if resource else None,
        status=response.status,
        durationMs=round((time.perf_counter() - started) * 1000, 1),
        **fields,
    )
    return response

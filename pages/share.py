"""The page of one render, `/r/ID?token=…`, for people without an account: a player, or the progress, and a download.

The token is one of `renderToken`. It is in the query, not in the fragment, so that the server can send the video
without JavaScript, and previews to messengers (docs/decisions/0034-share-page.md).
"""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from pages.files import page_response
from pages.share_content import Content, message_content, render_content
from pages.studio import FILES, FOLDER, Studio, studio_policy
from resolvers.execution.limits import OperationLimiter
from services.errors import (
    OutputGone,
    RenderNotComplete,
    RenderNotFound,
    RenderServiceNotConfigured,
    TokenExpired,
    TokenInvalid,
    Unavailable,
)
from services.models import Caller, Render
from services.renders.render_tokens import RenderTokens
from services.renders.service import RenderService
from services.settings import GraphQLSettings

PATH = "/r/{render_id}"
TEMPLATE = FOLDER / "share" / "share.html"
PLACEHOLDER = re.compile(r"\{\{ (?P<name>title|metadata|content) \}\}")  # attributes of `Content`
HEADERS = {
    "Cache-Control": "private, no-store",  # the page has signed URLs
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
RETRY_AFTER_S = 30

# An id that does not exist, another render's token and a changed one get the same page.
INVALID = "This link is not valid. Check that you have copied all of it."
EXPIRED = "This link has expired. Ask for a new one."
DELETED = "This render has been deleted."
NO_OUTPUT = "The file of this render has been deleted."
UNAVAILABLE = "This render can't be shown at the moment. Reload the page in a minute."


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePage:
    """The page's template and Content-Security-Policy, and the services that it reads renders from.

    The reads of one render's page are limited as a caller's queries are.
    """

    template: str
    policy: str
    renders: RenderService
    tokens: RenderTokens
    limiter: OperationLimiter
    timeout_s: float

    async def serve(self, request: Request) -> Response:
        """Serve the page: 404 if the token is not valid for this id, 410 if it has expired or the render is deleted."""
        try:
            caller = self._identify(request.path_params["render_id"], request.query_params.get("token", ""))
            async with asyncio.timeout(self.timeout_s):
                render = await self._read(caller)
        except TokenInvalid:
            return self._message(INVALID, HTTPStatus.NOT_FOUND)
        except TokenExpired:
            return self._message(EXPIRED, HTTPStatus.GONE)
        except RenderNotFound:
            return self._message(DELETED, HTTPStatus.GONE)
        except OutputGone:
            return self._message(NO_OUTPUT, HTTPStatus.GONE)
        except (Unavailable, RenderServiceNotConfigured, TimeoutError):
            return self._message(UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE)
        return self._response(render_content(render, self.renders), HTTPStatus.OK)

    def _identify(self, render_id: str, token: str) -> Caller:
        """Return the holder of a token for this render. Raises `TokenInvalid` or `TokenExpired`."""
        caller = self.tokens.identify(token, now=self.renders.clock.now()).caller
        if caller.render_id != render_id:
            raise TokenInvalid
        return caller

    async def _read(self, caller: Caller) -> Render:
        """Return the caller's render. Raises `RenderNotFound`, `OutputGone` or `Unavailable`."""
        await self.limiter.acquire(caller.limit_key)
        try:
            render, _ = await self.renders.download(caller, caller.render_id or "")
        except RenderNotComplete as error:
            return error.render
        finally:
            self.limiter.release(caller.limit_key)
        return render

    def _message(self, text: str, status: HTTPStatus) -> Response:
        return self._response(message_content(text), status)

    def _response(self, content: Content, status: HTTPStatus) -> Response:
        html = PLACEHOLDER.sub(lambda found: getattr(content, found["name"]), self.template)
        retry = {"Retry-After": str(RETRY_AFTER_S)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        return page_response(html, self.policy, status=status, headers={**HEADERS, **retry})


def load_share_page(
    studio: Studio,
    *,
    base_url: str,
    renders: RenderService,
    tokens: RenderTokens,
    limits: GraphQLSettings,
    template: Path = TEMPLATE,
) -> SharePage:
    """Return the page, whose scripts and styles are among the studio's files."""
    html = template.read_text(encoding="utf-8").replace(FILES, f"{FILES}{studio.version}/")
    policy = studio_policy(base_url, scripts="'self'")
    return SharePage(
        template=html,
        policy=policy,
        renders=renders,
        tokens=tokens,
        limiter=OperationLimiter(limits.max_concurrent_operations),
        timeout_s=limits.execution_timeout_s,
    )

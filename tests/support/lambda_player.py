"""Background work of the Remotion Lambda function for tests: simulated renders, and webhooks at their ends."""

import hashlib
import hmac
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from heapq import heappop, heappush
from http import HTTPStatus
from urllib.parse import urlsplit

from tests.support.lambda_progress import JSON, compact
from tests.support.lambda_renders import Render, State
from tests.support.s3_server import S3_UNAVAILABLE, S3Error

ACCOUNT = "123456789012"


class Webhooks(Enum):
    """The delivery of the webhook at a render's end."""

    SENT = auto()
    LOST = auto()
    DOUBLED = auto()
    EARLY = auto()  # received before the progress file shows that the render is done


@dataclass(frozen=True, slots=True)
class WebhookSent:
    """One attempt to deliver a webhook; `status` is the HTTP status, 0 if there was no response."""

    url: str
    body: bytes
    headers: dict[str, str]
    status: int


class Sender:
    """Delivers webhooks in its own threads, with three attempts each."""

    def __init__(self) -> None:
        self.mode = Webhooks.SENT
        self.sent: list[WebhookSent] = []
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(8, "webhooks")

    def stop(self) -> None:
        self._stopping.set()
        self._threads.shutdown(cancel_futures=True)

    def send_later(self, render: Render) -> None:
        """Send the webhook of a render that ended, if there is one."""
        sent_already = self.mode is Webhooks.EARLY and render.state is State.COMPLETE
        times = {Webhooks.LOST: 0, Webhooks.DOUBLED: 2}.get(self.mode, 1)
        for _ in range(0 if sent_already else times):
            self._threads.submit(self.send, render)

    def send(self, render: Render) -> None:
        """Send the webhook of a render now."""
        webhook = render.payload.get("webhook")
        if webhook is None:
            return
        body = compact(webhook_body(render)).encode()
        # The real sender uses the number of characters as that of bytes, and then fails to send the body.
        for pause in (0.0, 0.5, 1.0) if body.isascii() else ():
            if self._stopping.wait(pause) or self._post(webhook, body):
                return

    def _post(self, webhook: JSON, body: bytes) -> bool:
        url, status = urlsplit(webhook["url"]), 0
        signed = hmac.new((webhook["secret"] or "").encode(), body, hashlib.sha512).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Remotion-Mode": "production",
            "X-Remotion-Signature": f"sha512={signed}" if webhook["secret"] else "NO_SECRET_PROVIDED",
            "X-Remotion-Status": json.loads(body)["type"],
        }
        with suppress(*S3_UNAVAILABLE), closing(http.client.HTTPConnection(url.netloc, timeout=10)) as connection:
            connection.request("POST", url.path + (f"?{url.query}" if url.query else ""), body, headers)
            with connection.getresponse() as response:
                status = response.status
        self.sent.append(WebhookSent(webhook["url"], body, headers, status))
        return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def webhook_body(render: Render) -> JSON:
    """Return the body of the webhook for a render that ended or timed out."""
    post = render.progress["postRenderData"]
    kinds = {State.COMPLETE: "success", State.FAILED: "error"}
    body = {"type": kinds.get(render.state, "timeout"), "renderId": render.id, "expectedBucketOwner": ACCOUNT}
    body |= {"bucketName": render.bucket, "customData": render.payload["webhook"].get("customData")}
    if render.state is State.COMPLETE:
        output = {"outputUrl": post["outputFile"], "lambdaErrors": post["errors"], "outputFile": post["outputFile"]}
        return body | output | {"timeToFinish": post["timeToFinish"], "costs": post["cost"]}
    if render.state is State.FAILED:
        error = render.progress["errors"][-1]
        return body | {"errors": [{name: error[name] for name in ("message", "name", "stack")}]}
    return body


class Simulator:
    """Simulates all renders in one thread, each step when it is due. While S3 is unavailable, it waits."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._due: list[tuple[float, int, Render]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="player")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def play(self, render: Render, delay_s: float = 0.0) -> None:
        """Schedule the next step of a render, after its interval and a delay."""
        with self._changed:
            heappush(self._due, (time.monotonic() + render.interval_s + delay_s, next(self._numbers), render))
            self._changed.notify()

    def _run(self) -> None:
        while render := self._next():
            with suppress(*S3_UNAVAILABLE):
                is_early = self._sender.mode is Webhooks.EARLY
                take_step(render, send_early=self._sender.send if is_early else None)
            if render.state is State.RUNNING or render.to_do:
                self.play(render)
            else:
                render.ended.set()
                if render.state is not State.STALLED:
                    self._sender.send_later(render)

    def _next(self) -> Render | None:
        with self._changed:
            while not self._stopped:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    return heappop(self._due)[2]
                self._changed.wait(wait_s)
        return None


def take_step(render: Render, *, send_early: Callable[[Render], None] | None = None) -> None:
    """Advance a launch by one content of its file, unless it still has to store something. Raises `S3_UNAVAILABLE`.

    `send_early` sends the webhook of a successful render before the file says that it is complete.
    """
    if not render.to_do:
        _advance(render, send_early)
    try:
        while render.to_do:
            render.to_do[0]()
            render.to_do.popleft()
    except S3Error:  # the bucket was deleted
        render.to_do.clear()
        render.state = State.STALLED


def _advance(render: Render, send_early: Callable[[Render], None] | None) -> None:
    text = render.advance(cancelled=render.is_cancelled)
    if render.state is State.COMPLETE and send_early is not None:
        render.to_do.append(partial(send_early, render))
    if text is not None and text not in render.written[-1:]:
        render.written.append(text)
        render.to_do.append(partial(render.s3.put, render.bucket, render.key("progress.json"), text.encode()))

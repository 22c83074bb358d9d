"""A Remotion Lambda function for tests, behind the HTTP API that boto3 and Remotion's own clients invoke."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, cast
from urllib.parse import unquote

from tests.support.lambda_faults import CRASH_TYPES, ERROR_RESPONSES, NOTHING_RUNS, RUNS_FIRST, Fault, InjectedFault
from tests.support.lambda_function import LambdaFunction, error_response, function_named
from tests.support.lambda_player import ACCOUNT, Sender, Simulator, Webhooks, WebhookSent
from tests.support.lambda_progress import JSON, compact
from tests.support.local_server import LocalHandler, LocalServer
from tests.support.s3_server import ObjectStore
from tests.support.server_process import free_port

FUNCTION = "remotion-render-4-0-527-mem2048mb-disk2048mb-120sec"


class LambdaServer(LambdaFunction):
    """The function on a port. Tests can inject faults and inspect the invocations.

    Its timestamps are from `now`, which returns seconds since 1970.
    """

    def __init__(
        self,
        s3: ObjectStore,
        *,
        function_name: str = FUNCTION,
        seconds_per_render: float = 0.3,
        steps: int = 3,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._sender = Sender()
        self._simulator = Simulator(self._sender)
        super().__init__(
            s3,
            function=function_named(function_name, now),
            play=self._simulator.play,
            seconds_per_render=seconds_per_render,
            steps=steps,
        )
        self.starts: list[JSON] = []
        self.stills: list[JSON] = []
        self.event_invoke_config: JSON | None = None
        self.invocations: Counter[str] = Counter()
        self.max_concurrent = 0
        self._server: LocalServer | None = None
        self._lock = threading.Lock()
        self._under_way = 0
        self._faults: list[InjectedFault] = []

    @property
    def webhooks(self) -> Webhooks:
        """The delivery of webhooks from now on; it can be set."""
        return self._sender.mode

    @webhooks.setter
    def webhooks(self, mode: Webhooks) -> None:
        self._sender.mode = mode

    @property
    def webhooks_sent(self) -> list[WebhookSent]:
        return self._sender.sent

    def start(self) -> None:
        """Start serving on `url`."""
        self._simulator.start()
        self.go_online()

    def stop(self) -> None:
        """Stop the server and its threads; running renders remain in their state."""
        self.go_offline()
        self._simulator.stop()
        self._sender.stop()

    def go_offline(self) -> None:
        """Reject connections and close existing ones; renders continue."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def go_online(self) -> None:
        """Accept connections again."""
        self._server = LocalServer(self.port, _Handler, self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault(
        self,
        fault: Fault,
        *,
        times: int = 1,
        kind: str = "start",
        seconds: float = 0.0,
        message: str = "No.",
        until: threading.Event | None = None,
    ) -> None:
        """Inject a fault into the next `times` responses to invocations of a kind.

        `seconds` is the delay of SLOW, which `until` ends early; `message` is the error message of REJECTED.
        """
        with self._lock:
            self._faults.append(InjectedFault(fault, times, kind, seconds, message, until))

    def send_timeout(self, render_id: str) -> None:
        """Send the webhook that the main function sends a second before its timeout."""
        self._sender.send_later(self.renders[render_id])

    def record_invocation(self, payload: JSON) -> InjectedFault:
        """Record an invocation, and return the fault of its response."""
        kind = payload.get("type", "")
        with self._lock:
            self.invocations[kind] += 1
            if kind == "start":
                self.starts.append(payload)
            if kind == "still":
                self.stills.append(payload)
            for injected in self._faults:
                if injected.left and injected.kind == kind:
                    injected.left -= 1
                    return injected
        return InjectedFault()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count an invocation as running."""
        with self._lock:
            self._under_way += 1
            self.max_concurrent = max(self.max_concurrent, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1


class _Handler(LocalHandler):
    def do_GET(self) -> None:  # noqa: N802 - http.server looks for this name
        """Return the function's configuration of asynchronous invocations."""
        owner = cast("LambdaServer", cast("LocalServer", self.server).owner)
        injected = owner.record_invocation({"type": "event-invoke-config"})
        config = owner.event_invoke_config
        if injected.fault in ERROR_RESPONSES:
            status, code, error = ERROR_RESPONSES[injected.fault]
            self._json(status, error, ("x-amzn-ErrorType", code))
        elif config is None:
            error = {"Type": "User", "Message": "The function doesn't have an EventInvokeConfig"}
            self._json(404, error, ("x-amzn-ErrorType", "ResourceNotFoundException"))
        else:
            self._json(200, config, ("x-amzn-RequestId", "R"))

    def do_POST(self) -> None:  # noqa: N802 - http.server looks for this name
        owner = cast("LambdaServer", cast("LocalServer", self.server).owner)
        text = self.body()
        name = unquote(self.path).removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
        if name != owner.function.name:
            where = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
            error = {"Type": "User", "Message": f"Function not found: {where}"}
            self._json(404, error, ("x-amzn-ErrorType", "ResourceNotFoundException"))
            return
        payload: JSON = json.loads(text)
        injected = owner.record_invocation(payload)
        if injected.fault in ERROR_RESPONSES:
            if injected.fault in RUNS_FIRST:
                owner.run(payload)
            status, code, error = ERROR_RESPONSES[injected.fault]
            self._json(status, error, ("x-amzn-ErrorType", code))
        else:
            with owner.under_way():
                self._invoke(owner, payload, injected)

    def _invoke(self, owner: LambdaServer, payload: JSON, injected: InjectedFault) -> None:
        fault = injected.fault
        reply = owner.run(payload) if fault not in NOTHING_RUNS else error_response(injected.message)
        (injected.until or cast("LocalServer", self.server).stopping).wait(injected.seconds)
        if fault is Fault.HELD:
            self.hold()
        elif fault is Fault.DROPPED:
            self.close_connection = True
        elif fault in CRASH_TYPES:
            error = {"errorType": CRASH_TYPES[fault], "errorMessage": injected.message, "trace": []}
            self._json(200, error, ("X-Amz-Function-Error", "Unhandled"))
        else:
            echo = {"inputProps": payload.get("inputProps")} if fault is Fault.ECHOED else {}
            before = {"type": "render-id-determined", "text": 'Hello {, "}'} if fault is Fault.SEVERAL_OBJECTS else None
            self._json(200, reply | echo, ("X-Amz-Executed-Version", "$LATEST"), before)

    def _json(self, status: int, value: JSON, header: tuple[str, str], before: JSON | None = None) -> None:
        text = (compact(before) if before else "") + compact(value)
        self.respond(status, [("Content-Type", "application/json"), header], text.encode())

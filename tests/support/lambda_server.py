"""A Remotion Lambda function for tests, behind the HTTP API that boto3 and Remotion's own clients invoke."""

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self, cast
from urllib.parse import unquote

from tests.support import lambda_renders as renders
from tests.support.lambda_faults import CRASH_TYPES, ERROR_RESPONSES, NOTHING_RUNS, Fault, InjectedFault
from tests.support.lambda_player import ACCOUNT, S3_UNAVAILABLE, Sender, Simulator, Webhooks, WebhookSent
from tests.support.lambda_progress import JSON, compact, output_of
from tests.support.lambda_renders import Function, Render
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_status import status_response
from tests.support.lambda_stills import make_still_response, new_id
from tests.support.local_server import LocalHandler, LocalServer
from tests.support.s3_server import S3Error, S3Server
from tests.support.server_process import free_port

FUNCTION = "remotion-render-4-0-527-mem2048mb-disk2048mb-120sec"
NAME = re.compile(r"remotion-render-(.*)-mem(\d+)mb-disk(\d+)mb-(\d+)sec")


class LambdaServer:
    """The function and its renders. Tests can inject faults and inspect the invocations.

    A render takes `seconds_per_render`; in it, its file is written `steps` times with other numbers of frames, and four
    more times. Its timestamps are from `now`, which returns seconds since 1970.
    """

    def __init__(
        self,
        s3: S3Server,
        *,
        function_name: str = FUNCTION,
        compositions: frozenset[str] = frozenset({"TextAnimation"}),
        seconds_per_render: float = 0.3,
        steps: int = 3,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.function = function_named(function_name, compositions, now)
        self.seconds_per_render = seconds_per_render
        self.steps = steps
        self.starts: list[JSON] = []
        self.stills: list[JSON] = []
        self.invocations: Counter[str] = Counter()
        self.max_concurrent = 0
        self.renders: dict[str, Render] = {}
        self._sender = Sender()
        self.s3 = s3
        self._simulator = Simulator(s3, self._sender)
        self._server: LocalServer | None = None
        self._lock = threading.Lock()
        self._under_way = 0
        self._faults: list[InjectedFault] = []
        self._scenarios: deque[Scenario] = deque()
        self._scenarios_by_word: dict[str, Scenario] = {}

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
        """Refuse connections and close existing ones; renders continue."""
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

        `seconds` is the delay of SLOW, which `until` ends early; `message` is the error message of REFUSED.
        """
        with self._lock:
            self._faults.append(InjectedFault(fault, times, kind, seconds, message, until))

    def use_scenario_next(self, scenario: Scenario, *, times: int = 1) -> None:
        """Use this scenario for the next `times` renders."""
        with self._lock:
            self._scenarios.extend([scenario] * times)

    def use_scenario_for_text(self, word: str, scenario: Scenario) -> None:
        """Use this scenario for every render whose text contains `word`."""
        with self._lock:
            self._scenarios_by_word[word] = scenario

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

    def run(self, payload: JSON) -> JSON:
        """Perform an invocation and return the function's response."""
        kind = payload.get("type")
        if kind == "info":
            return {"version": self.function.version, "type": "success"}
        if kind not in {"start", "status", "still"}:
            return error_response(f"Command not found: {compact(payload)}")
        if payload.get("version") != self.function.version:
            return error_response(self._version_mismatch(payload))
        try:
            return {"start": self._start, "status": self._status, "still": self._still}[kind](payload)
        except (S3Error, KeyError, ValueError, TypeError, *S3_UNAVAILABLE) as error:
            return error_response(str(error))

    def _version_mismatch(self, payload: JSON) -> str:
        name, own, given = self.function.name, self.function.version, payload.get("version", "")
        apis = {"start": "renderMediaOnLambda()", "status": "getRenderProgress()", "still": "renderStillOnLambda()"}
        api = apis[payload["type"]]
        passed = f"you passed {name} as the function, which has the version {own}, but the @remotion/lambda package"
        advice = "Deploy a new function and use it to call getRenderProgress()."
        used = f"you used to invoke the function has version {given}. {advice}"
        return f"Version mismatch: When calling {api}, {passed} {used}"

    def _start(self, payload: JSON) -> JSON:
        if not payload.get("serveUrl"):
            return error_response("Cannot read properties of undefined (reading 'startsWith')")
        if not payload.get("bucketName"):
            return error_response(
                'You have multiple buckets in your S3 region us-east-1 starting with "remotionlambda-"'
            )
        render = Render(
            id=new_id(payload),
            function=self.function,
            payload=payload,
            props=read_props(self.s3, payload),
            steps=self.steps,
            interval_s=self.seconds_per_render / (self.steps + 4),
            s3=self.s3,
            progress=renders.initial_progress(self.function, payload),
        )
        render.scenario = self._scenario(render)
        self.s3.put(render.bucket, render.key("progress.json"), render.text.encode())
        self.renders[render.id] = render
        self._simulator.play(render)
        return {"type": "success", "bucketName": render.bucket, "renderId": render.id}

    def _still(self, payload: JSON) -> JSON:
        return make_still_response(self.function, self.s3, payload, read_props(self.s3, payload))

    def _scenario(self, render: Render) -> Scenario:
        keep = render.payload.get("outName") and not render.payload.get("overwrite")
        if keep and self.s3.get(*render.output) is not None:
            return Scenario.OUTPUT_EXISTS
        with self._lock:
            for word, scenario in self._scenarios_by_word.items():
                if word in str(render.props.get("text")):
                    return scenario
            return self._scenarios.popleft() if self._scenarios else Scenario.SUCCESS

    def _status(self, payload: JSON) -> JSON:
        bucket, render_id = payload["bucketName"], payload["renderId"]
        text = self.s3.get(bucket, f"renders/{render_id}/progress.json")
        if text is None:
            return error_response(f'No render with ID "{render_id}" found in bucket {bucket} and region us-east-1')
        progress = json.loads(text)
        output = self.s3.get(*output_of(progress["renderMetadata"] or {}, bucket, render_id))
        return status_response(self.function, progress, payload, None if output is None else len(output))


def function_named(name: str, compositions: frozenset[str], now: Callable[[], float]) -> Function:
    found = NAME.fullmatch(name)
    assert found is not None
    return Function(
        name=name,
        version=found[1].replace("-", "."),
        memory_mb=int(found[2]),
        timeout_ms=int(found[4]) * 1000,
        compositions=compositions,
        now_ms=lambda: round(now() * 1000),
    )


def error_response(message: str) -> JSON:
    return {"type": "error", "message": message, "stack": f"Error: {message}\n    at innerHandler"}


def read_props(s3: S3Server, payload: JSON) -> JSON:
    """Return the animation's properties; empty if they are missing or not a JSON object."""
    props = payload.get("inputProps", {})
    text = props.get("payload", "")
    if props.get("type") == "bucket-url":
        text = (s3.get(props["bucketName"], f"input-props/{props['hash']}.json") or b"").decode()
    with suppress(ValueError):
        read = json.loads(text)
        return read if isinstance(read, dict) else {}
    return {}


class _Handler(LocalHandler):
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

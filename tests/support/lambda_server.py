"""A Remotion Lambda function for tests, behind the HTTP API that boto3 and Remotion's own clients invoke."""

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self, cast
from urllib.parse import unquote

from tests.support import lambda_renders as renders
from tests.support.lambda_player import ACCOUNT, S3_AWAY, Player, Sender, Webhooks, WebhookSent
from tests.support.lambda_renders import JSON, Course, Function, Render, failure
from tests.support.lambda_stills import make_still, new_id
from tests.support.s3_server import LocalHandler, LocalServer, S3Refused, S3Server
from tests.support.server_process import free_port

FUNCTION = "remotion-render-4-0-527-mem2048mb-disk2048mb-120sec"
NAME = re.compile(r"remotion-render-(.*)-mem(\d+)mb-disk(\d+)mb-(\d+)sec")
IN_ANSWER = """framesRendered lambdasInvoked timeToRenderFrames renderMetadata timeToEncode timeToCombine combinedFrames
    timeoutTimestamp compositionValidated functionLaunched serveUrlOpened"""
ONLY_WHEN_DONE = "outKey outBucket outputFile outputSizeInBytes timeToFinish estimatedBillingDurationInMilliseconds"


class Fault(Enum):
    """What can be wrong with the answer to an invocation."""

    THROTTLED = auto()
    SERVICE_ERROR = auto()
    ACCESS_DENIED = auto()
    EXPIRED_TOKEN = auto()
    REFUSED = auto()  # by the function, with a message
    CRASHED = auto()  # the function, before anything ran
    CRASHED_LATE = auto()  # the function, but the render runs
    UNLOADABLE = auto()  # the function's code
    HELD = auto()  # there is none until the client gives up, but the render runs
    DROPPED = auto()  # the connection ends without one, but the render runs
    SLOW = auto()  # it is right, but comes late
    SEVERAL_OBJECTS = auto()  # it is the last of several JSON objects in a row
    ECHOED = auto()  # it also holds the animation's properties


# What the service answers when it invokes nothing: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
REFUSALS: dict[Fault, tuple[int, str, JSON]] = {
    Fault.THROTTLED: (
        429,
        "TooManyRequestsException",
        {"Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."},
    ),
    Fault.SERVICE_ERROR: (500, "ServiceException", {"Type": "Service", "Message": "An error occurred."}),
    Fault.ACCESS_DENIED: (403, "AccessDeniedException", {"Message": "User is not authorized to perform this action"}),
    Fault.EXPIRED_TOKEN: (403, "ExpiredTokenException", {"message": "The security token included is expired"}),
}

CRASHES = {
    Fault.CRASHED: "Runtime.ExitError",
    Fault.CRASHED_LATE: "Runtime.ExitError",
    Fault.UNLOADABLE: "Runtime.ImportModuleError",
}
RUN_NOTHING = {Fault.REFUSED, Fault.CRASHED, Fault.UNLOADABLE}


@dataclass(slots=True)
class Trouble:
    """What shall be wrong with the next answers to invocations of one kind."""

    fault: Fault | None = None
    left: int = 0
    kind: str = ""
    seconds: float = 0.0
    message: str = ""


class LambdaServer:
    """The function and its renders. It can be told what goes wrong next, and what it was asked can be looked at.

    A render takes `seconds_per_render`, in which its file is written `steps` times with other numbers of frames and
    four times more. Its timestamps are of `now`, which returns seconds since 1970.
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
        self.most_at_once = 0
        self.renders: dict[str, Render] = {}
        self._sender = Sender()
        self.s3 = s3
        self._player = Player(s3, self._sender)
        self._server: LocalServer | None = None
        self._lock = threading.Lock()
        self._under_way = 0
        self._troubles: list[Trouble] = []
        self._courses: deque[Course] = deque()
        self._courses_by_word: dict[str, Course] = {}

    @property
    def webhooks(self) -> Webhooks:
        """What becomes of the webhooks from now on; it can be set."""
        return self._sender.mode

    @webhooks.setter
    def webhooks(self, mode: Webhooks) -> None:
        self._sender.mode = mode

    @property
    def webhooks_sent(self) -> list[WebhookSent]:
        return self._sender.sent

    def start(self) -> None:
        """Begin to answer, on `url`."""
        self._player.start()
        self.come_back()

    def stop(self) -> None:
        """End everything; renders that are under way stay as they are."""
        self.go_offline()
        self._player.stop()
        self._sender.stop()

    def go_offline(self) -> None:
        """Refuse connections and cut those there are, while renders go on."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def come_back(self) -> None:
        """Accept connections again."""
        self._server = LocalServer(self.port, _Handler, self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault(
        self, fault: Fault, *, times: int = 1, kind: str = "start", seconds: float = 0.0, message: str = "No."
    ) -> None:
        """Let something be wrong with the next answers to invocations of a kind.

        `seconds` is how late a SLOW answer is, `message` that of a REFUSED one.
        """
        with self._lock:
            self._troubles.append(Trouble(fault, times, kind, seconds, message))

    def play_next(self, course: Course, *, times: int = 1) -> None:
        """Let the next renders go this way."""
        with self._lock:
            self._courses.extend([course] * times)

    def play_when(self, word: str, course: Course) -> None:
        """Let every render go this way whose text contains `word`."""
        with self._lock:
            self._courses_by_word[word] = course

    def send_timeout(self, render_id: str) -> None:
        """Send the webhook that the main function sends a second before its time is up."""
        self._sender.send_later(self.renders[render_id])

    def note(self, payload: JSON) -> Trouble:
        """Count an invocation, and return what shall be wrong with its answer."""
        kind = payload.get("type", "")
        with self._lock:
            self.invocations[kind] += 1
            if kind == "start":
                self.starts.append(payload)
            if kind == "still":
                self.stills.append(payload)
            for trouble in self._troubles:
                if trouble.left and trouble.kind == kind:
                    trouble.left -= 1
                    return trouble
        return Trouble()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count an invocation among those that are not answered yet."""
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def run(self, payload: JSON) -> JSON:
        """Do what an invocation asks for and return the function's answer."""
        kind = payload.get("type")
        if kind == "info":
            return {"version": self.function.version, "type": "success"}
        if kind not in {"start", "status", "still"}:
            return refused(f"Command not found: {renders.compact(payload)}")
        if payload.get("version") != self.function.version:
            return refused(self._version_mismatch(payload))
        try:
            return {"start": self._start, "status": self._status, "still": self._still}[kind](payload)
        except (S3Refused, KeyError, ValueError, TypeError, *S3_AWAY) as error:
            return refused(str(error))

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
            return refused("Cannot read properties of undefined (reading 'startsWith')")
        if not payload.get("bucketName"):
            return refused('You have multiple buckets in your S3 region us-east-1 starting with "remotionlambda-"')
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
        render.course = self._course(render)
        self.s3.put(render.bucket, render.key("progress.json"), render.text.encode())
        self.renders[render.id] = render
        self._player.play(render)
        return {"type": "success", "bucketName": render.bucket, "renderId": render.id}

    def _still(self, payload: JSON) -> JSON:
        return make_still(self.function, self.s3, payload, read_props(self.s3, payload))

    def _course(self, render: Render) -> Course:
        keep = render.payload.get("outName") and not render.payload.get("overwrite")
        if keep and self.s3.get(*render.output) is not None:
            return Course.OUTPUT_EXISTS
        with self._lock:
            for word, course in self._courses_by_word.items():
                if word in str(render.props.get("text")):
                    return course
            return self._courses.popleft() if self._courses else Course.WELL

    def _status(self, payload: JSON) -> JSON:
        bucket, render_id = payload["bucketName"], payload["renderId"]
        text = self.s3.get(bucket, f"renders/{render_id}/progress.json")
        if text is None:
            return refused(f'No render with ID "{render_id}" found in bucket {bucket} and region us-east-1')
        progress = json.loads(text)
        output = self.s3.get(*renders.output_of(progress["renderMetadata"] or {}, bucket, render_id))
        return status_answer(self.function, progress, payload, None if output is None else len(output))


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


def refused(message: str) -> JSON:
    return {"type": "error", "message": message, "stack": f"Error: {message}\n    at innerHandler"}


def read_props(s3: S3Server, payload: JSON) -> JSON:
    """Return the animation's properties, empty if they are not there or no JSON object."""
    props = payload.get("inputProps", {})
    text = props.get("payload", "")
    if props.get("type") == "bucket-url":
        text = (s3.get(props["bucketName"], f"input-props/{props['hash']}.json") or b"").decode()
    with suppress(ValueError):
        read = json.loads(text)
        return read if isinstance(read, dict) else {}
    return {}


def status_answer(function: Function, progress: JSON, payload: JSON, output_size: int | None) -> JSON:
    """Return what the official client makes of a `progress.json`, if the output has that size or isn't there."""
    metadata, post = progress["renderMetadata"], progress["postRenderData"]
    answer = {"type": "success", "bucket": payload["bucketName"], "renderId": payload["renderId"], "done": False}
    answer |= {name: progress[name] for name in IN_ANSWER.split()} | dict.fromkeys(ONLY_WHEN_DONE.split())
    answer |= {"chunks": len(progress["chunks"]), "errors": progress["errors"], "currentTime": function.now_ms()}
    cost, answer["overallProgress"] = 0.0, overall_progress(progress)
    if metadata:
        elapsed = max(0, (progress["fatalErrorTimestamp"] or answer["currentTime"]) - metadata["startedDate"])
        billed = answer["estimatedBillingDurationInMilliseconds"] = renders.billed_ms(progress, elapsed)
        cost = renders.cost_usd(billed, function.memory_mb, progress["lambdasInvoked"])
        answer["errors"] = timeouts(function, progress) + progress["errors"]
    answer["fatalErrorEncountered"] = any(error["isFatal"] and not error["willRetry"] for error in answer["errors"])
    if metadata and (post or (output_size is not None and seems_done(function, progress))):
        out = renders.output_of(metadata, payload["bucketName"], payload["renderId"])
        answer |= {"done": True, "overallProgress": 1, "fatalErrorEncountered": False, "outputSizeInBytes": output_size}
        answer |= {"outBucket": out[0], "outKey": out[1], "outputFile": renders.url_of(out)}
        answer |= {"chunks": metadata["totalChunks"], "lambdasInvoked": metadata["totalChunks"]}
        answer |= {"framesRendered": renders.frame_count(metadata)}
    if post:
        cost = post["cost"]["estimatedCost"]
        answer |= {name: post[name] for name in post.keys() & answer.keys()} | {"outputSizeInBytes": post["outputSize"]}
    return answer | {"costs": {"accruedSoFar": cost, "currency": "USD"}}


def overall_progress(progress: JSON) -> float:
    metadata, stages = progress["renderMetadata"], ("lambdasInvoked", "serveUrlOpened", "compositionValidated")
    evaluated = sum(bool(progress[stage]) for stage in stages) / 3 * 0.1
    if not metadata:
        return evaluated
    count, expected = renders.frame_count(metadata), metadata["estimatedRenderLambdaInvokations"]
    invoked = progress["lambdasInvoked"] / expected if expected else float(progress["lambdasInvoked"] > 0)
    frames = 0.6 * progress["framesRendered"] + 0.1 * (progress["framesEncoded"] + progress["combinedFrames"])
    return float(evaluated + 0.1 * invoked + frames / count)


def timeouts(function: Function, progress: JSON) -> list[JSON]:
    """Return the error that the client adds when the main function can't be running any more."""
    metadata = progress["renderMetadata"]
    over_ms = function.now_ms() - metadata["startedDate"] - function.timeout_ms - 20_000
    if over_ms <= 0 or (over_ms <= function.timeout_ms and len(progress["chunks"]) == metadata["totalChunks"]):
        return []
    message = f"The main function timed out after {function.timeout_ms}ms."
    return [failure(message) | {"name": "TimeoutError"}]


def seems_done(function: Function, progress: JSON) -> bool:
    """Return whether the client looks for the output although the file doesn't say that it is there.

    It expects two chunks of each part of a video that isn't muted, one with sound, and there never are.
    """
    metadata, errors = progress["renderMetadata"], progress["errors"]
    parts = metadata["totalChunks"] * (1 if metadata["muted"] else 2)
    late = function.now_ms() > metadata["startedDate"] + 2 * function.timeout_ms + 20_000
    combined = progress["combinedFrames"] >= renders.frame_count(metadata) and progress["timeToCombine"] is not None
    fatal = any(error["isFatal"] and not error["willRetry"] for error in errors)
    return len(progress["chunks"]) == parts and not fatal and (late or combined)


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
        trouble = owner.note(payload)
        if trouble.fault in REFUSALS:
            status, code, error = REFUSALS[trouble.fault]
            self._json(status, error, ("x-amzn-ErrorType", code))
        else:
            with owner.under_way():
                self._invoke(owner, payload, trouble)

    def _invoke(self, owner: LambdaServer, payload: JSON, trouble: Trouble) -> None:
        fault = trouble.fault
        reply = owner.run(payload) if fault not in RUN_NOTHING else refused(trouble.message)
        cast("LocalServer", self.server).stopping.wait(trouble.seconds)
        if fault is Fault.HELD:
            self.hold()
        elif fault is Fault.DROPPED:
            self.close_connection = True
        elif fault in CRASHES:
            error = {"errorType": CRASHES[fault], "errorMessage": trouble.message, "trace": []}
            self._json(200, error, ("X-Amz-Function-Error", "Unhandled"))
        else:
            echo = {"inputProps": payload.get("inputProps")} if fault is Fault.ECHOED else {}
            before = {"type": "render-id-determined", "text": 'Hello {, "}'} if fault is Fault.SEVERAL_OBJECTS else None
            self._json(200, reply | echo, ("X-Amz-Executed-Version", "$LATEST"), before)

    def _json(self, status: int, value: JSON, header: tuple[str, str], before: JSON | None = None) -> None:
        text = (renders.compact(before) if before else "") + renders.compact(value)
        self.answer(status, [("Content-Type", "application/json"), header], text.encode())

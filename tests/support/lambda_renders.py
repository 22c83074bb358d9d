"""The renders of the Remotion Lambda function for tests: they draw nothing, but write the same files as real ones.

A render is a generator of the contents of its `progress.json`. Values that tests can't cause are those of a recorded
real render.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import cast

from tests.support.lambda_compositions import SITE, Site, find_composition, forced
from tests.support.lambda_files import distorted, post_render_data, render_metadata
from tests.support.lambda_outputs import content_type_of, output_content
from tests.support.lambda_progress import JSON, Fatal, compact, failure, frame_count, output_of
from tests.support.lambda_scenarios import CRASHED, RENDERER_ERRORS, THROTTLED, Scenario
from tests.support.s3_server import S3_UNAVAILABLE, ObjectStore

REQUIRED_KEYS = """composition inputProps codec envVariables privacy frameRange timeoutInMilliseconds everyNthFrame
    concurrencyPerLambda downloadBehavior audioCodec concurrency scale"""
UNRECORDED = {Scenario.NO_POST_RENDER_DATA, Scenario.LOST_LAST_WRITE}
CORRUPT_FILES = ('{"cancellationEnabled":true,"chunks":[1,', "", '"progress"')


class State(Enum):
    """The state of a render."""

    RUNNING = auto()
    COMPLETE = auto()
    FAILED = auto()
    STALLED = auto()  # none of these, and nothing will be written any more


class Stalled(Exception):  # noqa: N818 - not an error
    """A render writes nothing any more."""


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function and its clock."""

    name: str
    version: str
    memory_mb: int
    timeout_ms: int
    now_ms: Callable[[], int]


@dataclass(slots=True, kw_only=True)
class Render:
    """One launch of a render: its progress, the contents of `progress.json` that it wrote, and what it does next in S3.

    `composition` is the one that it renders, as evaluated with its props. `has_launched` is whether it has begun: until
    then, its event is in Lambda's queue.
    """

    id: str
    function: Function
    payload: JSON
    props: JSON
    site: Site = field(default_factory=lambda: SITE)
    composition: JSON = field(default_factory=dict)
    scenario: Scenario = Scenario.SUCCESS
    steps: int
    interval_s: float
    s3: ObjectStore
    progress: JSON
    acls_disabled: bool = False
    has_launched: bool = False
    state: State = State.RUNNING
    script: Iterator[str] = field(init=False)
    written: list[str] = field(default_factory=list)
    to_do: deque[Callable[[], None]] = field(default_factory=deque)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.script = play(self)

    @property
    def bucket(self) -> str:
        return str(self.payload["bucketName"])

    @property
    def output(self) -> tuple[str, str]:
        """The bucket and key of its video."""
        return output_of(self.payload, self.bucket, self.id)

    @property
    def content(self) -> bytes:
        """The content of its output."""
        return output_content(self.payload)

    @property
    def metadata(self) -> JSON:
        return cast("JSON", self.progress["renderMetadata"])

    def key(self, name: str) -> str:
        return f"renders/{self.id}/{name}"

    @property
    def text(self) -> str:
        """The present content of `progress.json`."""
        return compact(distorted(self.progress, self.scenario))

    @property
    def is_cancelled(self) -> bool:
        """Whether its renderers, which look for the cancel request while they render, find it."""
        renders_now = self.progress["renderMetadata"] and len(self.progress["chunks"]) < self.metadata["totalChunks"]
        enabled = self.progress["cancellationEnabled"]
        return bool(renders_now and enabled) and self.s3.get(self.bucket, self.key("cancel.json")) is not None

    def advance(self, *, cancelled: bool) -> str | None:
        """Do the next step and return the content of `progress.json`; None if nothing is written any more."""
        try:
            if cancelled:
                raise failed_in_renderer("renderMedia() got cancelled")
            return next(self.script)
        except Fatal as fatal:
            return fail(self, fatal)
        except Stalled:
            self.state = State.STALLED
            return None


def failed_in_renderer(message: str, attempt: int = 1) -> Fatal:
    """Return the failure of a renderer, whose whole stack is the main function's message."""
    return Fatal(own := failure(message, chunk=0, attempt=attempt), failure(own["stack"]))


def play(render: Render) -> Iterator[str]:
    """Yield the contents of `progress.json` one after another. Raises `Fatal` or `Stalled`."""
    yield from open_site(render)
    yield from start_renderers(render)
    yield from render_frames(render)
    yield from finish(render)


def open_site(render: Render) -> Iterator[str]:
    """Open the site, find the composition and check that no output is stored under the key."""
    begin(render)
    for name in REQUIRED_KEYS.split():
        if name not in render.payload:
            raise Fatal(failure(f"Cannot read properties of undefined (reading '{name}')"))
    if render.scenario is Scenario.SITE_UNREACHABLE:
        raise Fatal(failure(f"net::ERR_CONNECTION_REFUSED at {render.payload['serveUrl']}"))
    render.progress["serveUrlOpened"] = render.function.now_ms()
    yield render.text
    if render.scenario is Scenario.LAUNCH_DIES:
        raise Stalled
    find_site_composition(render)
    render.progress["compositionValidated"] = render.function.now_ms()
    yield from check_output_key(render)
    render.progress["renderMetadata"] = render_metadata(render)
    yield render.text


def begin(render: Render) -> None:
    """Begin the launch: the function's timeout counts from here, also if the event was in Lambda's queue."""
    now = render.function.now_ms()
    render.has_launched = True
    render.progress |= {"functionLaunched": now, "timeoutTimestamp": now + render.function.timeout_ms}


def check_output_key(render: Render) -> Iterator[str]:
    """Raise `Fatal` if any object, even an empty one, is stored under the key of the output. Waits for S3."""
    exists: bool | None = True if render.scenario is Scenario.OUTPUT_EXISTS else None
    while exists is None:
        try:
            exists = not render.payload.get("overwrite") and render.s3.get(*render.output) is not None
        except S3_UNAVAILABLE:
            yield render.text
    if exists:
        bucket, key = render.output
        problem = "already exists. Delete it before re-rendering, or set the 'overwrite' option"
        raise Fatal(
            failure(f'Output file "{key}" in bucket "{bucket}" in region "us-east-1" {problem}', name="TypeError")
        )


def start_renderers(render: Render) -> Iterator[str]:
    """Invoke the renderers, with the scenario's errors during rendering."""
    progress, metadata = render.progress, render.metadata
    if render.scenario is Scenario.RENDERERS_THROTTLED:
        progress["lambdasInvoked"] = metadata["estimatedRenderLambdaInvokations"] // 2
        raise Fatal(failure(failure(THROTTLED)["stack"]))
    progress["lambdasInvoked"] = metadata["estimatedRenderLambdaInvokations"]
    if render.scenario in RENDERER_ERRORS or render.scenario is Scenario.CHUNK_RETRIED:
        progress["framesRendered"] = frame_count(metadata) // 2
        yield render.text
    if render.scenario in {Scenario.CHUNK_RETRIED, Scenario.BROWSER_CRASH}:
        progress["errors"].append(failure(CRASHED, chunk=0, retried=True))
        progress["retries"].append({"chunk": 0, "attempt": 2, "time": render.function.now_ms()})
        progress["framesRendered"] = max(0, progress["framesRendered"] - metadata["framesPerLambda"])
        yield render.text
    if render.scenario in RENDERER_ERRORS:
        raise failed_in_renderer(*RENDERER_ERRORS[render.scenario])
    if render.scenario is Scenario.CORRUPT_FILE:
        yield from CORRUPT_FILES


def render_frames(render: Render) -> Iterator[str]:
    """Render the frames, and encode each chunk once its frames are rendered."""
    count, per_chunk = frame_count(render.metadata), render.metadata["framesPerLambda"]
    hangs = render.scenario is Scenario.CHUNK_HANGS
    until = max(count // 2, (count - 1) // per_chunk * per_chunk) if hangs else count
    started_ms = render.function.now_ms()
    for step in range(1, render.steps + 1):
        update_frames(render, min(until, count * step // render.steps), started_ms)
        yield render.text
    while hangs:
        yield render.text
    if render.scenario is Scenario.STITCHER_TIMES_OUT:
        raise Stalled


def update_frames(render: Render, frames: int, started_ms: int) -> None:
    """Set the number of rendered frames, and add the chunks that they complete."""
    progress, count, now = render.progress, frame_count(render.metadata), render.function.now_ms()
    per_chunk, done = render.metadata["framesPerLambda"], progress["chunks"]
    for chunk in range(len(done), render.metadata["totalChunks"]):
        if min(count, (chunk + 1) * per_chunk) <= frames:
            done.append(chunk)
            progress["timings"].append({"chunk": chunk, "start": started_ms, "rendered": now})
    progress["framesRendered"] = frames
    progress["framesEncoded"] = min(count, len(done) * per_chunk)
    if frames == count:
        progress["timeToRenderFrames"] = progress["timeToEncode"] = now - started_ms


def finish(render: Render) -> Iterator[str]:
    """Combine the chunks, store the video and record that, in the scenario's order."""
    progress, scenario, count = render.progress, render.scenario, frame_count(render.metadata)
    if scenario is Scenario.LOST_LAST_WRITE or render.payload["codec"] == "gif":
        progress["combinedFrames"] = count / 2 if count % 2 else count // 2
        yield render.text
    last = render.text
    progress["combinedFrames"] = count
    progress["timeToCombine"] = 52 if render.metadata["totalChunks"] > 1 or scenario in UNRECORDED else None
    if scenario not in {Scenario.EARLY_POST_RENDER_DATA, Scenario.NO_OUTPUT}:
        store_video(render)
    yield last if scenario is Scenario.LOST_LAST_WRITE else render.text
    if scenario is Scenario.NO_POST_RENDER_DATA:
        raise Stalled
    clean_up(render)
    progress["postRenderData"] = post_render_data(render)
    if scenario is Scenario.EARLY_POST_RENDER_DATA:
        yield from [render.text] * render.steps
        store_video(render)
    render.state = State.COMPLETE
    yield last if scenario is Scenario.LOST_LAST_WRITE else render.text


def store_video(render: Render) -> None:
    """Store the video, replacing an existing object. Raises `Fatal` if S3 rejects it."""
    if render.acls_disabled and render.payload["privacy"] != "no-acl":
        raise Fatal(failure("The bucket does not allow ACLs", name="AccessControlListNotSupported"))
    render.to_do.append(partial(render.s3.put, *render.output, render.content, content_type_of(render.output[1])))


def fail(render: Render, fatal: Fatal) -> str:
    """Add the errors to the progress, and return the content of `progress.json`."""
    render.progress["errors"].extend(fatal.errors)
    render.progress["fatalErrorTimestamp"] = render.function.now_ms()
    render.state = State.FAILED
    if render.metadata:
        clean_up(render)
    return render.text


def clean_up(render: Render) -> None:
    """Delete uploaded properties."""
    props = render.payload["inputProps"]
    if props["type"] == "bucket-url":
        render.to_do.append(partial(render.s3.delete, props["bucketName"], f"input-props/{props['hash']}.json"))


def find_site_composition(render: Render) -> None:
    """Evaluate the composition. Raise `Fatal` if the composition, the properties or the options are invalid."""
    payload = render.payload
    site: Site = {} if render.scenario is Scenario.UNKNOWN_COMPOSITION else render.site
    props = {"durationInFrames": None} if render.scenario is Scenario.BAD_PROPS else render.props
    try:
        render.composition = forced(find_composition(site, payload["composition"]).evaluate(props), payload)
    except ValueError as error:
        raise Fatal(failure(str(error))) from error
    if payload["timeoutInMilliseconds"] < 7000:
        raise Fatal(failure("'timeoutInMilliseconds' should be at least 7000"))

"""The code of the Remotion Lambda function for tests: what it does with the payload of an invocation.

A start stores `progress.json` and invokes the function again, asynchronously, for the launch, which renders. Lambda
delivers that event at least once, and may deliver it late: it waits up to six hours while the account's concurrency is
used up (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
"""

import json
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from tests.support.lambda_compositions import SITE, evaluate_all
from tests.support.lambda_files import initial_progress
from tests.support.lambda_progress import JSON, compact, output_of
from tests.support.lambda_renders import Function, Render
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_status import status_response
from tests.support.lambda_stills import make_still_response, new_id
from tests.support.s3_server import S3_UNAVAILABLE, ObjectStore, S3Error

NAME = re.compile(r"remotion-render-(.*)-mem(\d+)mb-disk(\d+)mb-(\d+)sec")
AT_ONCE = (0.0,)
NEVER_S = 86_400.0  # a delay of a launch that is delivered by `deliver`, if at all
APIS = {
    "start": "renderMediaOnLambda()",
    "status": "getRenderProgress()",
    "still": "renderStillOnLambda()",
    "compositions": "getCompositionsOnLambda()",
}


class LambdaFunction:
    """The function and its renders. Tests choose the scenario of each, and when its launch is delivered.

    A render takes `seconds_per_render`; in it, its file is written `steps` times with other numbers of frames, and four
    more times. `play` schedules a launch after a delay in seconds. If `acls_disabled`, the bucket rejects the ACL of
    every video whose render does not have the privacy "no-acl". `site` can be replaced by another one.
    """

    def __init__(
        self,
        s3: ObjectStore,
        *,
        function: Function,
        play: Callable[[Render, float], None],
        seconds_per_render: float = 0.3,
        steps: int = 3,
    ) -> None:
        self.s3 = s3
        self.function = function
        self.seconds_per_render = seconds_per_render
        self.steps = steps
        self.acls_disabled = False
        self.site = SITE
        self.renders: dict[str, Render] = {}
        self.launches: list[Render] = []
        self._play = play
        self._scenarios: deque[Scenario] = deque()
        self._scenarios_by_word: dict[str, Scenario] = {}
        self._delays: deque[tuple[float, ...]] = deque()

    def use_scenario_next(self, *scenarios: Scenario, times: int = 1) -> None:
        """Use these scenarios for the next launches, one after another; repeat them `times`."""
        self._scenarios.extend(scenarios * times)

    def use_scenario_for_text(self, word: str, scenario: Scenario) -> None:
        """Use this scenario for every render whose text contains `word`."""
        self._scenarios_by_word = {**self._scenarios_by_word, word: scenario}

    def launch_next_after(self, *delays_s: float) -> None:
        """Deliver the next start's launch once after each of these delays, in seconds; never if there are none."""
        self._delays.append(delays_s)

    def deliver(self, launch: Render) -> None:
        """Deliver a launch now that was to be delivered after `NEVER_S`."""
        self._play(launch, 0.0)

    def run(self, payload: JSON) -> JSON:
        """Perform an invocation and return the function's response."""
        kind = payload.get("type")
        if kind == "info":
            return {"version": self.function.version, "type": "success"}
        if kind not in APIS:
            return error_response(f"Command not found: {compact(payload)}")
        if payload.get("version") != self.function.version:
            return error_response(self._version_mismatch(payload))
        try:
            return getattr(self, f"_{kind}")(payload)  # type: ignore[no-any-return]
        except (S3Error, KeyError, ValueError, TypeError, *S3_UNAVAILABLE) as error:
            return error_response(str(error))

    def _version_mismatch(self, payload: JSON) -> str:
        name, own, given = self.function.name, self.function.version, payload.get("version", "")
        passed = f"you passed {name} as the function, which has the version {own}, but the @remotion/lambda package"
        advice = "Deploy a new function and use it to call getRenderProgress()."
        used = f"you used to invoke the function has version {given}. {advice}"
        return f"Version mismatch: When calling {APIS[payload['type']]}, {passed} {used}"

    def _start(self, payload: JSON) -> JSON:
        if not payload.get("serveUrl"):
            return error_response("Cannot read properties of undefined (reading 'startsWith')")
        if not payload.get("bucketName"):
            return error_response(
                'You have multiple buckets in your S3 region us-east-1 starting with "remotionlambda-"'
            )
        render_id, props = new_id(payload), read_props(self.s3, payload)
        delays = self._delays.popleft() if self._delays else AT_ONCE
        launches = [self._new_launch(payload, render_id, props) for _ in delays or AT_ONCE]
        first = self.renders[render_id] = launches[0]
        self.s3.put(first.bucket, first.key("progress.json"), first.text.encode())
        for launch, delay_s in zip(launches, delays, strict=False):
            self.launches.append(launch)
            self._play(launch, delay_s)
        return {"type": "success", "bucketName": first.bucket, "renderId": render_id}

    def _new_launch(self, payload: JSON, render_id: str, props: JSON) -> Render:
        return Render(
            id=render_id,
            function=self.function,
            payload=payload,
            props=props,
            site=self.site,
            scenario=self._scenario(props),
            steps=self.steps,
            interval_s=self.seconds_per_render / (self.steps + 4),
            s3=self.s3,
            progress=initial_progress(self.function, payload),
            acls_disabled=self.acls_disabled,
        )

    def _scenario(self, props: JSON) -> Scenario:
        for word, scenario in self._scenarios_by_word.items():
            if word in str(props.get("text", props)):
                return scenario
        with suppress(IndexError):
            return self._scenarios.popleft()
        return Scenario.SUCCESS

    def _still(self, payload: JSON) -> JSON:
        return make_still_response(self.function, self.s3, payload, props=read_props(self.s3, payload), site=self.site)

    def _compositions(self, payload: JSON) -> JSON:
        return {"compositions": evaluate_all(self.site, read_props(self.s3, payload)), "type": "success"}

    def _status(self, payload: JSON) -> JSON:
        bucket, render_id = payload["bucketName"], payload["renderId"]
        text = self.s3.get(bucket, f"renders/{render_id}/progress.json")
        if text is None:
            return error_response(f'No render with ID "{render_id}" found in bucket {bucket} and region us-east-1')
        progress = json.loads(text)
        out_name = (progress["renderMetadata"] or {}).get("outName")
        if isinstance(out_name, dict) and "s3OutputProvider" in out_name and not payload["s3OutputProvider"]:
            return error_response("The file was rendered with a custom S3 implementation and is not public")
        output = self.s3.get(*output_of(progress["renderMetadata"] or {}, bucket, render_id))
        return status_response(self.function, progress, payload, None if output is None else len(output))


def function_named(name: str, now: Callable[[], float]) -> Function:
    """Return the function of a name that states its version, memory and timeout. `now` is in seconds since 1970."""
    found = NAME.fullmatch(name)
    assert found is not None
    return Function(
        name=name,
        version=found[1].replace("-", "."),
        memory_mb=int(found[2]),
        timeout_ms=int(found[4]) * 1000,
        now_ms=lambda: round(now() * 1000),
    )


def error_response(message: str) -> JSON:
    """Return the response of the function's own code to an invocation that failed."""
    return {"type": "error", "message": message, "stack": f"Error: {message}\n    at innerHandler"}


def read_props(s3: ObjectStore, payload: JSON) -> JSON:
    """Return the properties; empty if they are missing or not a JSON object."""
    props = payload.get("inputProps", {})
    text = props.get("payload", "")
    if props.get("type") == "bucket-url":
        text = (s3.get(props["bucketName"], f"input-props/{props['hash']}.json") or b"").decode()
    with suppress(ValueError):
        read = json.loads(text)
        return read if isinstance(read, dict) else {}
    return {}

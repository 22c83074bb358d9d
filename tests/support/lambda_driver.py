"""The Remotion Lambda server for tests with a boto3 client, and the payloads of requests to it."""

import json
from contextlib import closing
from typing import cast

import boto3
from botocore.config import Config
from mypy_boto3_lambda import LambdaClient

from tests.support.lambda_progress import JSON
from tests.support.lambda_renders import Render
from tests.support.lambda_server import FUNCTION, LambdaServer
from tests.support.s3_server import S3Server

BUCKET = "remotionlambda-useast1-abcdefghij"
TIMEOUT_S = 30.0
SESSION = boto3.Session("key", "secret", region_name="us-east-1")
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=TIMEOUT_S)
SHORT_TIMEOUT = Config(retries={"total_max_attempts": 1}, read_timeout=0.2)


class Driver(LambdaServer):
    """The server with a client."""

    def __init__(self, s3: S3Server) -> None:
        super().__init__(s3, seconds_per_render=0.05, steps=2)
        self.client: LambdaClient = SESSION.client("lambda", endpoint_url=self.url, config=ONCE)

    def reply(self, payload: JSON, client: LambdaClient | None = None) -> str:
        response = (client or self.client).invoke(FunctionName=FUNCTION, Payload=json.dumps(payload))
        with closing(response["Payload"]) as body:
            return body.read().decode()

    def invoke(self, payload: JSON) -> JSON:
        return cast("JSON", json.loads(self.reply(payload)))

    def start_render(self, text: str = "Hello", **changes: object) -> Render:
        return self.renders[self.invoke(start_request(text, **changes))["renderId"]]

    def play(self, text: str = "Hello", **changes: object) -> JSON:
        """Start a render, wait for its end and return its file."""
        render = self.start_render(text, **changes)
        assert render.ended.wait(TIMEOUT_S)
        return self.progress_of(render)

    def progress_of(self, render: Render) -> JSON:
        text = self.s3.get(BUCKET, render.key("progress.json"))
        assert text is not None
        return cast("JSON", json.loads(text))


def start_request(text: str = "Hello", **changes: object) -> JSON:
    props = json.dumps({"text": text, "durationInFrames": 90})
    optional = dict.fromkeys(["frameRange", "audioCodec", "concurrency", "framesPerLambda", "outName", "webhook"])
    return optional | {
        "type": "start",
        "version": "4.0.527",
        "serveUrl": "https://example.com/index.html",
        "composition": "TextAnimation",
        "inputProps": {"type": "payload", "payload": props},
        "codec": "h264",
        "envVariables": {},
        "privacy": "private",
        "timeoutInMilliseconds": 30_000,
        "everyNthFrame": 1,
        "concurrencyPerLambda": 1,
        "downloadBehavior": {"type": "play-in-browser"},
        "scale": 1,
        "enableCancellation": True,
        "bucketName": BUCKET,
        **changes,
    }


def status_request(render_id: str) -> JSON:
    return {"type": "status", "version": "4.0.527", "bucketName": BUCKET, "renderId": render_id}


def still_request(**changes: object) -> JSON:
    request = {name: value for name, value in start_request().items() if name != "codec"}
    stored = {"bucketName": BUCKET, "key": "p.jpeg"}
    return request | {
        "type": "still",
        "imageFormat": "jpeg",
        "streamed": False,
        "frame": 89,
        "outName": stored,
        **changes,
    }

"""The host names of AWS for tests: a proxy that serves them itself, with certificates of a test authority.

Code that uses the environment variables HTTPS_PROXY and AWS_CA_BUNDLE, as boto3 does, needs no change to reach it.
"""

import contextlib
import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Self, cast

import httpx
import pytest

from tests.support.certificates import Authority
from tests.support.lambda_server import LambdaServer
from tests.support.local_server import LocalHandler, LocalServer
from tests.support.s3_regions import RegionalS3, parse_host
from tests.support.server_process import TIMEOUT_S, free_port

LAMBDA_HOST = re.compile(r"lambda\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
HOP_HEADERS = {"connection", "content-length", "transfer-encoding", "date"}


class AwsHosts:
    """A proxy for S3 and for the functions of some regions; it does not resolve other host names."""

    def __init__(self, folder: Path, *, s3: RegionalS3, functions: Mapping[str, LambdaServer]) -> None:
        self.authority = Authority(folder)
        self.s3 = s3
        self.functions = dict(functions)
        self.port = free_port()
        self._server: LocalServer | None = None

    def __enter__(self) -> Self:
        self._server = LocalServer(self.port, _Handler, self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()

    def get(self, url: str) -> httpx.Response:
        """Request a URL through the proxy, without following redirects."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        with httpx.Client(proxy=f"http://127.0.0.1:{self.port}", verify=context, timeout=TIMEOUT_S) as client:
            return client.get(url)

    def resolves(self, host: str) -> bool:
        """Return whether there is a server of this name."""
        return parse_host(host) is not None or self.function(host) is not None

    def function(self, host: str) -> LambdaServer | None:
        """Return the function that a host name of Lambda serves."""
        found = LAMBDA_HOST.fullmatch(host)
        return self.functions.get(found["region"]) if found else None


@contextlib.contextmanager
def running_aws_hosts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, s3: RegionalS3, functions: Mapping[str, LambdaServer]
) -> Iterator[AwsHosts]:
    """Serve the host names, and let this process reach them."""
    with AwsHosts(folder, s3=s3, functions=functions) as hosts:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{hosts.port}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(hosts.authority.certificate))
        yield hosts


class _Handler(LocalHandler):
    def do_CONNECT(self) -> None:  # noqa: N802  # the name that http.server calls
        owner, host = self._owner, self.path.partition(":")[0]
        if not owner.resolves(host):
            self.respond(HTTPStatus.BAD_GATEWAY, [], b"")
            return
        self.send_response_only(HTTPStatus.OK)
        self.end_headers()
        self._start_tls(owner.authority.context(host))

    def do_GET(self) -> None:  # noqa: N802
        owner, host, body = self._owner, self.headers["Host"], self.body()
        if not owner.resolves(host):
            self.reset()
            return
        if function := owner.function(host):
            self._forward(function.port, body)
            return
        headers = dict(self.headers)
        response = owner.s3.serve(host, self.command, self.path, headers, body)
        self.respond(response.status, response.headers, response.body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _start_tls(self, context: ssl.SSLContext) -> None:
        """Continue as the server of the tunnel, on a copy of the socket, so that the server can close its own."""
        self.close_connection = False  # it may be a request of HTTP/1.0, after which connections are closed
        copied = self.connection.dup()
        self.connection = context.wrap_socket(copied, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def finish(self) -> None:
        """Close the tunnel, too."""
        super().finish()
        if self.connection is not self.request:
            self.connection.close()

    @property
    def _owner(self) -> AwsHosts:
        return cast("AwsHosts", cast("LocalServer", self.server).owner)

    def _forward(self, port: int, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body=body)
            with connection.getresponse() as response:
                headers = [pair for pair in response.getheaders() if pair[0].lower() not in HOP_HEADERS]
                self.respond(response.status, headers, response.read())

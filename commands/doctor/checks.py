"""What `rendercast doctor` looks at: each part of a deployment by itself, all at the same time."""

import asyncio
import difflib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dotenv import dotenv_values

from auth.bearer import read_token_rules
from auth.jwks import JwksError, JwksClient, open_issuer_session
from commands.client.options import Role
from commands.doctor.lambda_checks import examine_lambda
from commands.doctor.report import LIMIT_S, Examination, Finding, NotNeeded, Result
from pages.graphiql import load_graphiql
from services.errors import RendercastError, StartupError
from services.realtime.pubsub import open_pubsub
from services.runtime.adapters import new_mongo_client
from services.settings import FIELDS, Settings, former_variables, load_settings, variable
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    ServerClock,
    hosts_of,
    maybe_await,
    mongo_operation,
    operation_timeout_s,
)
from services.stores.mongo_documents import QUOTA_INDEXES, RENDER_INDEXES
from services.stores.mongo_outbox import WEBHOOK_INDEXES
from services.webhooks.configuration import read_endpoint_config
from services.webhooks.endpoint import open_endpoint
from services.webhooks.ports import EndpointError

HEARING_S = 5.0
MAX_CLOCK_DIFFERENCE_S = 10.0
LITTLE_SPACE_BYTES = 500_000_000
PREFIX = "RENDERCAST_"
OF_CLIENTS = {"RENDERCAST_URL", "RENDERCAST_TOKEN"}


async def diagnose(role: Role | None) -> Sequence[Finding]:
    """Return what is found."""
    settings, findings = read_settings()
    parts = [Examination(settings, role) for _ in PARTS]
    async with asyncio.TaskGroup() as tasks:
        for examine, part in zip(PARTS, parts, strict=True):
            tasks.create_task(examine(part))
    return [*findings, *(finding for part in parts for finding in part.findings)]


def read_settings() -> tuple[Settings, list[Finding]]:
    """Return the settings, with defaults in place of the wrong ones, and what is wrong."""
    wrong: list[str] = []
    try:
        settings = load_settings()
    except StartupError as error:
        wrong = str(error).splitlines()
        faulty = {line.partition(":")[0] for line in wrong}
        fields = [(name, field) for name, field in FIELDS.items() if variable(name) in faulty]
        settings = load_settings(**{name: field.default for name, field in fields})
    wrong += _unknown_variables()
    if not wrong:
        return settings, [Finding(check="settings", result=Result.OK, sentence="All can be read.")]
    return settings, [Finding(check="settings", result=Result.WRONG, sentence=line) for line in wrong]


def _unknown_variables() -> list[str]:
    """Return a sentence for each variable that looks like a setting and is none."""
    known = {each for name in FIELDS for each in (variable(name), *former_variables(name))} | OF_CLIENTS
    given = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    sentences = []
    for name in sorted(name for name in given - known if name.startswith(PREFIX)):
        close = difflib.get_close_matches(name, known, n=1)
        sentences.append(f"{name} is no setting" + (f"; do you mean {close[0]}?" if close else "."))
    return sentences


async def _data_folder(part: Examination) -> None:
    async def look() -> str:
        if not part.is_embedded and part.renderer == "lambda":
            raise NotNeeded("Nothing is kept on this machine: MongoDB has the renders, S3 the videos.")
        return await asyncio.to_thread(_try_folder, part.settings.storage.data_dir)

    await part.check("data folder", look)


def _try_folder(folder: Path) -> str:
    """Return that the folder can be used. Raises `StartupError`."""
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise StartupError(
            f"{existing} can't be written: {error.strerror}. Mend that, or set RENDERCAST_DATA_DIR to another folder."
        ) from error
    free = shutil.disk_usage(existing).free
    if free < LITTLE_SPACE_BYTES:
        raise StartupError(f"{folder} has only {free // 1_000_000} MB left: make room, or set RENDERCAST_DATA_DIR.")
    return f"{folder} can be written."


async def _web_page(part: Examination) -> None:
    async def look() -> str:
        if not part.is_for(Role.DEV, Role.SERVE):
            raise NotNeeded("A worker has no web page.")
        if not (await asyncio.to_thread(load_graphiql, part.settings.pages.web_dir)).files:
            raise NotNeeded("GraphiQL's page loads its parts from a CDN: npm ci --prefix web brings them here.")
        return "GraphiQL's page has all its parts here."

    await part.check("web page", look)


async def _mongodb(part: Examination) -> None:
    after = ("MongoDB indexes", "MongoDB clock")
    url = part.settings.storage.mongodb_url

    async def connect() -> str:
        if part.is_embedded:
            raise NotNeeded("`rendercast dev` needs none. For `serve` and `worker`, set MONGODB_URL.")
        if url is None:
            raise StartupError("MONGODB_URL is not set: give it the address of a replica set.")
        client = new_mongo_client(url.get_secret_value())
        opened.append(client)
        return await _ask_mongodb(client, hosts_of(url.get_secret_value()))

    async def make_indexes() -> str:
        database = opened[0].get_default_database(DEFAULT_DATABASE)
        with mongo_operation(LIMIT_S):
            await database["renders"].create_indexes(list(RENDER_INDEXES))
            await database["quota"].create_indexes(list(QUOTA_INDEXES))
            await database["webhooks"].create_indexes(list(WEBHOOK_INDEXES))
        return f"The indexes of the database {database.name} are there."

    async def compare_clocks() -> str:
        told = ServerClock(opened[0])
        with mongo_operation(operation_timeout_s(opened[0])):
            await told.sync()
        return judge_clocks(told.now().replace(tzinfo=UTC), datetime.now(UTC))

    opened: list[Client] = []
    try:
        if await part.check("MongoDB", connect, *after):
            await part.check(after[0], make_indexes)
            await part.check(after[1], compare_clocks)
    finally:
        for client in opened:
            await maybe_await(client.close())


def judge_clocks(its: datetime, ours: datetime) -> str:
    """Return how far two clocks are apart. Raises `StartupError` if that is too much."""
    apart_s = abs((its - ours).total_seconds())
    if apart_s > MAX_CLOCK_DIFFERENCE_S:
        raise StartupError(f"Its clock and this machine's are {apart_s:.0f} s apart: keep both in step, by NTP.")
    return f"Its clock and this machine's are {apart_s:.1f} s apart."


async def _ask_mongodb(client: Client, hosts: str) -> str:
    """Return that the server is one we can use. Raises `StartupError`."""
    try:
        with mongo_operation(operation_timeout_s(client)):
            hello = await ServerClock(client).sync()
    except RendercastError as error:
        raise StartupError(
            f"MongoDB at {hosts} can't be used: {error}. Start it, or correct MONGODB_URL, its user and its password."
        ) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StartupError(f"MongoDB at {hosts} is no replica set: start it with --replSet; one member is enough.")
    return f"{hosts} answers, and is a replica set."


async def _redis(part: Examination) -> None:
    url = part.settings.storage.redis_url

    async def look() -> str:
        if part.role is Role.DEV or (part.is_embedded and url is None):
            raise NotNeeded("`rendercast dev` needs none. For `serve` and `worker`, set REDIS_URL.")
        if url is None or url.get_secret_value().startswith("memory:"):
            raise StartupError("REDIS_URL names no Redis: give it an address such as redis://:password@host:6379/0.")
        try:
            return await _ask_redis(url.get_secret_value())
        except RendercastError as error:
            raise StartupError(f"{error} Start it, or correct REDIS_URL or what its user may do.") from error

    await part.check("Redis", look)


async def _ask_redis(url: str) -> str:
    """Return that what is published is heard. Raises `StartupError` or `PubSubUnavailable`."""
    heard = asyncio.Event()
    channel = f"doctor:{secrets.token_hex(8)}"
    async with open_pubsub(url) as pubsub, pubsub.subscribe(channel, lambda _: heard.set()):
        await pubsub.publish(channel, "Are you well?")
        try:
            async with asyncio.timeout(HEARING_S):
                await heard.wait()
        except TimeoutError:
            raise StartupError(
                "What is published is not heard: the user of Redis needs +@connection +@pubsub &rendercast:*."
            ) from None
    return "It answers; what is published is heard."


async def _tokens(part: Examination) -> None:
    settings = part.settings

    async def look() -> str:
        if not part.is_for(Role.SERVE) or (part.is_embedded and not (settings.auth.jwt_issuer or settings.auth.jwt_secret)):
            raise NotNeeded("Only `rendercast serve` knows users.")
        rules = read_token_rules(settings.auth)
        if settings.auth.jwt_issuer is None:
            return "They are signed with RENDERCAST_JWT_SECRET."
        async with open_issuer_session() as http:
            try:
                keys = await JwksClient(http, rules, jwks_url=settings.auth.jwt_jwks_url).read()
            except JwksError as fault:
                raise StartupError(
                    f"The issuer's keys can't be read: {fault}. Correct RENDERCAST_JWT_ISSUER or _JWT_JWKS_URL."
                ) from fault
        if not keys:
            raise StartupError("The issuer has no key for RENDERCAST_JWT_ALGORITHMS: name what it signs with.")
        return f"{len({key_id for key_id, _ in keys})} keys of {settings.auth.jwt_issuer} can be read."

    await part.check("users' tokens", look)


async def _webhooks(part: Examination) -> None:
    async def look() -> str:
        rules = read_endpoint_config(part.settings.webhooks)
        if rules is None:
            raise NotNeeded("Nobody is told of ends: RENDERCAST_WEBHOOK_URL is not set.")
        async with open_endpoint(rules) as endpoint:
            try:
                addresses = await endpoint.resolve()
            except EndpointError as fault:
                raise StartupError(f"RENDERCAST_WEBHOOK_URL can't be used: {fault}.") from fault
        if part.renderer == "text" and part.settings.server.public_url is None and not part.is_embedded:
            raise StartupError("RENDERCAST_PUBLIC_URL is not set: `outputUrl` in webhooks would lead to this machine.")
        return f"{endpoint.host} is {', '.join(addresses)}, which may be called."

    await part.check("webhooks", look)


PARTS: tuple[Callable[[Examination], Coroutine[None, None, None]], ...] = (
    _data_folder,
    _web_page,
    _mongodb,
    _redis,
    _tokens,
    _webhooks,
    examine_lambda,
)

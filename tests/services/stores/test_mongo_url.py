"""MONGODB_URL decides; what is wrong in it is named in one sentence, before anything is connected."""

import logging
import re

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.common import URI_OPTIONS_VALIDATOR_MAP

from services.errors import StartupError
from services.stores.mongo_connection import new_client
from services.stores.mongo_url import NAMES, read_mongo_url

MUST_BEGIN = "it must begin with mongodb:// or mongodb"
UNESCAPED = "must be percent-encoded"
HOST = "a host is a name or an address"
WRONG = [
    ("", MUST_BEGIN),
    ("nonsense", MUST_BEGIN),
    ("http://127.0.0.1", MUST_BEGIN),
    ("MONGODB://x/", MUST_BEGIN),
    (" mongodb://x/", MUST_BEGIN),
    ("mongodb:/x", MUST_BEGIN),
    ("mongodb://", "a host is missing"),
    ("mongodb:///db", "a host is missing"),
    ("mongodb://x,,y/", "a host is missing"),
    ("mongodb://ann:hunter2@/db", "a host is missing"),
    ("mongodb://mongodb://x/", "it contains :// twice"),
    ("mongodb://https://x/", "it contains :// twice"),
    ("mongodb://x/db\n", "a space or a control character"),
    ("mongodb://x /db", "a space or a control character"),
    ("mongodb://ann:hunter2:c@x", UNESCAPED),
    ("mongodb://ann:hunter2/c@x", UNESCAPED),
    ("mongodb://ann:1234/c@x", UNESCAPED),
    ("mongodb://ann:hunter2?c@x", UNESCAPED),
    ("mongodb://ann:hunter2?c=d@x/db?w=majority", UNESCAPED),
    ("mongodb://ann:hunter2%zz@x", UNESCAPED),
    ("mongodb://ann:hunter2%@x", UNESCAPED),
    ("mongodb://ann:hunter2@c@x", UNESCAPED),
    ("mongodb://:hunter2@x/", "the user name before @ is missing"),
    ("mongodb://x:abc/", HOST),
    ("mongodb://ann:hunter2", HOST),
    ("mongodb://x:99999/", HOST),
    ("mongodb://x:/", HOST),
    ("mongodb://::1/", HOST),
    ("mongodb://x%20y/", HOST),
    ("mongodb+srv://ann:hunter2@x.example:1", "one host name without a port"),
    ("mongodb+srv://x.example,y.example", "one host name without a port"),
    ("mongodb+srv://x.example/?directConnection=true", "directConnection"),
    ("mongodb://x/?srvMaxHosts=2", "srvMaxHosts"),
    ("mongodb://x/a.b", "the name of the database"),
    ("mongodb://x/a$b", "the name of the database"),
    ("mongodb://ann:hunter2@x/admin", "authSource=admin"),
    ("mongodb://x/?hunter2", "name=value"),
    ("mongodb://x/?w=majority&", "name=value"),
    ("mongodb://x/?retryWrite=false", "retryWrite is not an option; did you mean retryWrites?"),
    ("mongodb://x/?readPreferance=primary", "readPreferance is not an option; did you mean readPreference?"),
    ("mongodb://x/?ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs is not an option"),
    ("mongodb://u:p@s?hunter2=1@x/db", "must be percent-encoded"),
    ("mongodb://x/?tz_aware=false", "tz_aware is not an option"),
    ("mongodb://x/?retryWrites=no", "retryWrites"),
    ("mongodb://x/?retryWrites=False", "retryWrites"),
    ("mongodb://x/?retryWrites=", "retryWrites has no value"),
    ("mongodb://x/?replicaSet=", "replicaSet has no value"),
    ("mongodb://x/?retryWrites=true=false", "retryWrites"),
    ("mongodb://x/?w=-1", "option w"),
    ("mongodb://x/?w=0", "option w must not be 0"),
    ("mongodb://x/?w=majority&W=2", "option w is given twice"),
    ("mongodb://x/?w=majority&journal=true;tls=false", "Can not mix"),
    ("mongodb://x/?timeoutMS=soon", "timeoutMS"),
    ("mongodb://x/?timeoutMS=0", "timeoutMS must be at least 1"),
    ("mongodb://x/?serverSelectionTimeoutMS=-5", "serverSelectionTimeoutMS"),
    ("mongodb://x/?readPreference=secondray", "readPreference"),
    ("mongodb://x/?readConcernLevel=linearizable", "readConcernLevel must be local or majority"),
    ("mongodb://x/?compressors=zip", "compressors"),
    ("mongodb://x/?minPoolSize=5&maxPoolSize=2", "minPoolSize"),
    ("mongodb://x/?authMechanism=SHA", "authMechanism"),
    ("mongodb://x/?authMechanism=SCRAM-SHA-256", "requires a username"),
    ("mongodb://x/?authMechanismProperties=hunter2", "authMechanismProperties"),
    ("mongodb://x,y/?directConnection=true", "directConnection"),
    ("mongodb://x/?tls=yes", "tls"),
    ("mongodb://x/?tls=true&ssl=false", "ssl and tls"),
    ("mongodb://x/?tls=true&tlsInsecure=true&tlsAllowInvalidCertificates=true", "tlsInsecure"),
    ("mongodb://x/?tls=true&tlsCAFile=/hunter2", "tlsCAFile can't be read: No such file"),
    ("mongodb://x/?tls=true&tlsCertificateKeyFile=/hunter2", "tlsCertificateKeyFile can't be read: No such file"),
    ("mongodb://x/?tls=true&tlsCAFile=/dev/null", "tls"),
]


@pytest.mark.parametrize("connect", [AsyncIOMotorClient, AsyncMongoClient])
@pytest.mark.parametrize(("url", "words"), WRONG)
def test_what_is_wrong_is_named_in_one_sentence_without_the_password(connect: type, url: str, words: str) -> None:
    with pytest.raises(StartupError, match="MONGODB_URL is not valid: ") as error:
        new_client(connect, url)
    text = str(error.value)
    assert words in text
    assert "hunter2" not in text
    assert "1234" not in text
    assert re.fullmatch(r"[^\n]+[^.?!\n][.?]", text), text


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://x",
        "mongodb://x:27018,y/rendercast?replicaSet=rs0",
        "mongodb://ann:p%40ss%2Fword@x/rendercast?authSource=admin&authMechanism=SCRAM-SHA-256",
        "mongodb://[::1]:27017/?w=3",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock/db",
        "mongodb+srv://cluster.example.net/?retryWrites=true&w=majority&appName=me@home",
        "mongodb://x?RETRYWRITES=false;readConcernLevel=majority",
    ],
)
def test_valid_urls_are_passed_on_unchanged(url: str) -> None:
    assert read_mongo_url(url).url == url


@pytest.mark.parametrize("connect", [AsyncIOMotorClient, AsyncMongoClient])
def test_options_of_the_url_precede_the_defaults(connect: type) -> None:
    given = new_client(connect, "mongodb://x/?retryWrites=false&w=2&connectTimeoutMS=700&appName=mine&timeoutMS=900")
    options = given.options
    assert (options.retry_writes, options.write_concern.document) == (False, {"w": 2})
    assert (options.pool_options.connect_timeout, options.pool_options.appname, options.timeout) == (0.7, "mine", 0.9)
    defaults = new_client(connect, "mongodb://x").options
    assert (defaults.retry_writes, defaults.write_concern.document) == (True, {"w": "majority"})
    assert (defaults.pool_options.connect_timeout, defaults.pool_options.appname) == (5, "rendercast")


def test_reads_go_to_the_primary_whatever_the_url_says_and_a_warning_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The URL that Amazon DocumentDB's console shows has these options."""
    url = "mongodb://x/?replicaSet=rs0&readPreference=secondaryPreferred&maxStalenessSeconds=120&retryWrites=false"
    with caplog.at_level(logging.WARNING):
        client = new_client(AsyncMongoClient, url)
    assert client.read_preference.name == "Primary"
    assert client.options.retry_writes is False
    assert "readPreference=secondaryPreferred" in caplog.text


def test_a_write_concern_that_can_lose_writes_is_used_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert new_client(AsyncMongoClient, "mongodb://x/?w=1").write_concern.document == {"w": 1}
    assert "acknowledged writes can be lost" in caplog.text


def test_the_driver_knows_all_options() -> None:
    assert NAMES.keys() <= URI_OPTIONS_VALIDATOR_MAP.keys()

"""Checks MONGODB_URL before anything is connected. Each error names the setting and the faulty part, never a password.

PyMongo only warns about unknown options and wrong values, and then ignores them. The rules are those of
https://www.mongodb.com/docs/manual/reference/connection-string/ and of `pymongo.uri_parser`.
"""

import difflib
import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from pymongo import uri_parser
from pymongo.errors import PyMongoError

from services.errors import StartupError

SCHEMES = ("mongodb", "mongodb+srv")
BAD_DATABASE_NAME = re.compile(r'[/\\. "$]')
SYSTEM_DATABASES = {"admin", "config", "local"}
OPTIONS = (
    "appName",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "maxStalenessSeconds",
    "minPoolSize",
    "readConcernLevel",
    "readPreference",
    "readPreferenceTags",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "socketTimeoutMS",
    "srvAllowedHostsSuffix",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "timeoutMS",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsCRLFile",
    "tlsDisableOCSPEndpointCheck",
    "tlsInsecure",
    "uuidRepresentation",
    "w",
    "waitQueueTimeoutMS",
    "wTimeoutMS",
    "zlibCompressionLevel",
)
NAMES = {name.lower(): name for name in OPTIONS}
SECRET_VALUES = {"authmechanismproperties", "tlscertificatekeyfilepassword"}
READ_OPTIONS = {"readpreference", "readpreferencetags", "maxstalenessseconds"}  # not used: all reads go to the primary
READ_CONCERNS = {"local", "majority"}  # those that transactions support and that don't block

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoUrl:
    """A checked URL for the driver, and the options in it, by name in lower case."""

    url: str
    options: Mapping[str, str]


def read_mongo_url(url: str) -> MongoUrl:
    """Check the URL. Options that would have reads return old data are removed from it.

    Raises `StartupError` for a URL or an option that is not valid.
    """
    scheme, _, rest = url.partition("://")
    location, _, query = rest.partition("?")
    authority, _, database = location.partition("/")
    if scheme not in SCHEMES:
        raise _invalid("it must begin with mongodb:// or mongodb+srv://")
    if "@" in database or ("@" in query and not _has_only_options(query)):
        raise _unescaped()
    if any(character.isspace() or not character.isprintable() for character in url):
        raise _invalid("it contains a space or a control character")
    if re.match(r"[a-z+]+://", rest):
        raise _invalid("it contains :// twice")
    _check_user(authority)
    _check_hosts(authority.rpartition("@")[2], is_srv=scheme == "mongodb+srv")
    _check_database(unquote_plus(database))
    options = _read_options(query)
    _check_guarantees(options)
    return MongoUrl(url=f"{scheme}://{location}{_without_read_options(query, options)}", options=options)


def log_weak_options(options: Mapping[str, str]) -> None:
    """Log a warning for the options that weaken the store's promises, and for those that are not used."""
    if options.get("w") == "1":
        log.warning("MONGODB_URL sets w=1: when another member becomes primary, acknowledged writes can be lost.")
    if options.get("readpreference", "primary").lower() != "primary":
        log.warning(
            "MONGODB_URL sets readPreference=%s, which is not used: all reads go to the primary, because a process "
            "must see what others have written.",
            options["readpreference"],
        )


def _has_only_options(query: str) -> bool:
    """Return whether the text after `?` is a list of known options, and not the rest of a password."""
    return all(pair.partition("=")[0].lower() in NAMES for pair in re.split("[&;]", query))


def _check_user(authority: str) -> None:
    user, at, _ = authority.rpartition("@")
    if not at:
        return
    if user.partition(":")[0] == "":
        raise _invalid("the user name before @ is missing")
    try:
        uri_parser.parse_userinfo(user)
    except PyMongoError:
        raise _unescaped() from None


def _check_hosts(hosts: str, *, is_srv: bool) -> None:
    if not all(hosts.split(",")):
        raise _invalid("a host is missing")
    if is_srv and re.search(r"[,:\[]", hosts):
        raise _invalid("after mongodb+srv:// there must be one host name without a port")
    try:
        uri_parser.split_hosts(hosts)
    except (PyMongoError, ValueError):
        raise _invalid(
            "a host is a name or an address, IPv6 in brackets, and a port after it is a number from 1 to 65535; "
            "a user name and a password end with @"
        ) from None


def _check_database(name: str) -> None:
    if BAD_DATABASE_NAME.search(name):
        raise _invalid('the name of the database contains one of / \\ . " $')
    if name in SYSTEM_DATABASES:
        raise _invalid(
            f"transactions are not possible in the database {name}; name another one, and for users that are defined "
            f"in {name} add the option authSource={name}"
        )


def _read_options(query: str) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for pair in re.split("[&;]", query) if query else ():
        given, equals, value = pair.partition("=")
        if not (given and equals):
            raise _invalid("each option must be name=value, with & between two options")
        name = given.lower()
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            raise _invalid(f"{given} is not an option" + (f"; did you mean {NAMES[close[0]]}?" if close else ""))
        if not value:
            raise _invalid(f"the option {NAMES[name]} has no value")
        if name in options and name != "readpreferencetags":
            raise _invalid(f"the option {NAMES[name]} is given twice")
        _check_value(name, pair)
        options[name] = unquote_plus(value)
    _check_combination(query)
    return options


def _check_value(name: str, pair: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            uri_parser.split_options(pair)
    except OSError as error:
        raise _invalid(f"the file of the option {NAMES[name]} can't be read: {error.strerror}") from None
    except (PyMongoError, ValueError, TypeError, UserWarning) as error:
        reason = "" if name in SECRET_VALUES else f": {' '.join(str(error).split())}"
        raise _invalid(f"the value of the option {NAMES[name]} is wrong{reason}") from None


def _check_combination(query: str) -> None:
    """Check that the options, each of which is valid, can be used together."""
    if not query:
        return
    try:
        uri_parser.split_options(query)
    except PyMongoError as error:
        raise _invalid(str(error).rstrip(".")) from None


def _check_guarantees(options: Mapping[str, str]) -> None:
    """Reject the options with which the store can't keep its promises."""
    if re.fullmatch("0+", options.get("w", "")):
        raise _invalid("the option w must not be 0: no write would be acknowledged")
    if float(options.get("timeoutms", 1)) < 1:
        raise _invalid("the option timeoutMS must be at least 1: without a limit, a server that hangs blocks requests")
    if options.get("readconcernlevel", "local") not in READ_CONCERNS:
        raise _invalid("the option readConcernLevel must be local or majority, as transactions require")


def _without_read_options(query: str, options: Mapping[str, str]) -> str:
    """Return the query with its question mark; without the options of reading, if there are any."""
    if READ_OPTIONS.isdisjoint(options):
        return f"?{query}" if query else ""
    kept = [pair for pair in re.split("[&;]", query) if pair.partition("=")[0].lower() not in READ_OPTIONS]
    return f"?{'&'.join(kept)}" if kept else ""


def _unescaped() -> StartupError:
    return _invalid(
        "the user name or the password contains one of : / ? # [ ] @ %, which must be percent-encoded, @ as %40"
    )


def _invalid(reason: str) -> StartupError:
    text = f"MONGODB_URL is not valid: {reason.rstrip('.')}"
    return StartupError(text if text.endswith("?") else f"{text}.")

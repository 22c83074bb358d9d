"""Every setting, read once from the environment. A wrong one stops the start with a line that says what to mend."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.errors import StartupError

CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """The environment's variables, prefix `RENDERCAST_`; also read from a file `.env` in the present folder."""

    model_config = SettingsConfigDict(
        env_prefix="RENDERCAST_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on.")
    public_url: str | None = Field(
        None, pattern=r"^https?://[^/?#]+$", description="How clients reach this server; default http://HOST:PORT."
    )
    data_dir: Path = Field(Path(".rendercast"), description="Folder of the embedded store and of rendered videos.")
    web_dir: Path = Field(
        CHECKOUT / "web" / "node_modules", description="Folder of the pages' npm packages; without it, a CDN is used."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="How much to log.")
    log_format: Literal["text", "json"] | None = Field(
        None, description="How to log: `text` (default of `dev`) or `json` (of `serve` and `worker`)."
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port of Prometheus' `/metrics`, and of a `/healthz` that workers have too; none if left out.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that this port is on.")

    mongodb_url: SecretStr | None = Field(
        None, validation_alias="MONGODB_URL", description="The MongoDB of `serve` and `worker`; a replica set."
    )
    redis_url: SecretStr | None = Field(
        None, validation_alias="REDIS_URL", description="The Redis of `serve` and `worker`."
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=24_000,
        description="Remove renders from MongoDB this many days after their end; never if left out.",
    )
    jwt_issuer: str | None = Field(
        None, pattern=r"^https?://[^\s?#]+$", description="Who signs users' tokens: their `iss`, a URL."
    )
    jwt_audience: str = Field("rendercast", min_length=1, description="The `aud` that users' tokens must have.")
    jwt_jwks_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="Where the issuer's keys are; default what its OpenID configuration says.",
    )
    jwt_algorithms: str = Field(
        "RS256,ES256,EdDSA",
        pattern=r"^(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA)(?:,(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA))*$",
        description="What the issuer may sign with; no others are accepted.",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs users' tokens (HS256) where there is no issuer; random, at least 32 characters.",
    )
    jwt_leeway_s: int = Field(30, ge=0, le=300, description="How far the issuer's clock may be off, in seconds.")
    operator_scope: str | None = Field(
        None,
        pattern=r"^[!#-\[\]-~]+$",  # a scope-token of RFC 6749, section 3.3
        description="Whoever's token has this scope may read everybody's renders; nobody may if left out.",
    )

    renderer: Literal["lambda", "local"] | None = Field(
        None, description="What renders: `lambda` (default of `serve` and `worker`) or `local` (of `dev`)."
    )
    remotion_lambda_function_name: str | None = Field(
        None,
        validation_alias="REMOTION_LAMBDA_FUNCTION_NAME",
        pattern=r"^[A-Za-z0-9:$_-]{1,170}$",
        description="The Remotion function, as its deployment named it.",
    )
    remotion_serve_url: str | None = Field(
        None,
        validation_alias="REMOTION_SERVE_URL",
        pattern=r"^https?://\S+$",
        description="The site that holds the composition, as its deployment named it.",
    )
    remotion_composition: str = Field(
        "TextAnimation", validation_alias="REMOTION_COMPOSITION", min_length=1, description="The composition's id."
    )
    remotion_bucket_name: str | None = Field(
        None,
        validation_alias="REMOTION_BUCKET_NAME",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="The bucket of renders and videos; default the one that `REMOTION_SERVE_URL` names.",
    )
    remotion_aws_region: str = Field(
        "us-east-1",
        validation_alias="REMOTION_AWS_REGION",
        pattern=r"^[a-z0-9-]+$",
        description="The AWS region of function and bucket.",
    )
    remotion_aws_access_key_id: SecretStr | None = Field(
        None, validation_alias="REMOTION_AWS_ACCESS_KEY_ID", description="AWS key; default what boto3 finds."
    )
    remotion_aws_secret_access_key: SecretStr | None = Field(
        None, validation_alias="REMOTION_AWS_SECRET_ACCESS_KEY", description="The secret of that key."
    )
    remotion_privacy: Literal["private", "no-acl"] = Field(
        "private",
        validation_alias="REMOTION_PRIVACY",
        description="`no-acl` if the bucket has access control lists disabled.",
    )
    remotion_posters: bool = Field(
        default=True,
        validation_alias="REMOTION_POSTERS",
        description="Have the function make a poster of each video, by one more invocation.",
    )
    remotion_license_key: SecretStr | None = Field(
        None, validation_alias="REMOTION_LICENSE_KEY", description="Remotion's licence key, if you have one."
    )
    remotion_webhook_secret: SecretStr | None = Field(
        None,
        validation_alias="REMOTION_WEBHOOK_SECRET",
        min_length=16,
        description="Signs the function's webhooks, which are asked for if `RENDERCAST_PUBLIC_URL` is set too.",
    )
    remotion_version: str | None = Field(
        None,
        validation_alias="REMOTION_VERSION",
        pattern=r"^\d+\.\d+\.\d+",
        description="The function's version, if its name doesn't tell it.",
    )
    remotion_memory_mb: int | None = Field(
        None, validation_alias="REMOTION_MEMORY_MB", ge=128, description="Its memory, if its name doesn't tell it."
    )
    remotion_timeout_s: int | None = Field(
        None,
        validation_alias="REMOTION_TIMEOUT_S",
        ge=15,
        le=900,
        description="Its timeout in seconds, if its name doesn't tell it.",
    )

    webhook_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+(?:[/?][^\s#]*)?$",
        description="Who is told of the end of each render, by a signed POST; nobody if left out.",
    )
    webhook_secret: SecretStr | None = Field(
        None, description="Signs it: `whsec_…` as Standard Webhooks have it; several, with spaces, while they change."
    )
    webhook_networks: str = Field(
        "", description="Networks, with commas between, that it may be sent to beside the internet, also by http."
    )
    webhook_timeout_s: float = Field(20, gt=0, le=60, description="How long an answer to it may take, in seconds.")

    quota_limit: int = Field(5, ge=1, description="Renders a user may start in each window.")
    quota_window_s: int = Field(3600, ge=1, le=86_400, description="Length of a quota window in seconds.")
    max_duration_s: int = Field(20, ge=1, le=3600, description="Longest animation in seconds.")
    max_text_length: int = Field(500, ge=1, le=10_000, description="Most characters of text in an animation.")
    download_expiry_s: int = Field(3600, ge=1, le=604_800, description="How long a download URL works, in seconds.")

    local_width: int = Field(1280, ge=16, le=3840, multiple_of=2, description="Width of locally rendered videos.")
    local_height: int = Field(720, ge=16, le=2160, multiple_of=2, description="Height of locally rendered videos.")

    lease_s: float = Field(30, ge=1, le=600, description="How long a worker holds a render without renewing.")
    look_interval_s: float = Field(1, gt=0, le=60, description="How often a worker looks for work unasked.")
    check_interval_s: float = Field(5, gt=0, le=60, description="How often stored state is read for watched renders.")
    max_attempts: int = Field(
        3,
        ge=1,
        le=20,
        description="How often a render that broke is tried in all, not counted when there was no room for it.",
    )
    worker_capacity: int | None = Field(
        None, ge=1, le=5000, description="Renders a worker carries at once; default 25, or one per core locally."
    )
    poll_interval_s: float = Field(1, ge=0.05, le=60, description="How often a render on Lambda is asked for progress.")
    queue_timeout_s: int = Field(86_400, ge=1, description="How long a render may wait for room, in seconds.")

    studio: bool | None = Field(None, description="Serve the studio page at `/`; default yes in `dev`, no in `serve`.")
    introspection: bool | None = Field(
        None, description="Let clients read the schema, and give them hints; default yes in `dev`, no in `serve`."
    )
    max_query_tokens: int = Field(
        1000, ge=100, le=100_000, description="Most tokens in a GraphQL document, and most values in its variables."
    )
    max_query_depth: int = Field(15, ge=5, le=100, description="How deep its fields may be nested, and its variables.")
    max_query_fields: int = Field(
        500, ge=50, le=10_000, description="Most fields in a document, each counted wherever its fragment is spread."
    )
    max_query_aliases: int = Field(
        50, ge=1, le=1000, description="Most aliases in a document, most directives, and most operations."
    )
    max_query_cost: int = Field(
        10_000,
        ge=1000,
        le=1_000_000,
        description="Most fields in an answer: those in lists count for each item, those that read the store for 25.",
    )
    max_mutations_per_minute: int = Field(120, ge=1, le=10_000, description="Mutations a user may run in any minute.")
    execution_timeout_s: float = Field(
        30, gt=0, le=600, description="How long an operation, or an event of a subscription, may take, in seconds."
    )

    projections: bool = Field(
        default=True,
        description="Make subscriptions' results without executing each; to be switched off for comparison.",
    )
    allowed_origins: str = Field(
        "",
        pattern=r"^(?:\s*https?://[^\s/?#,*@]+\s*(?:,|$))*$",
        description="Origins, with commas between, whose pages may use this server beside its own.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses or networks, with commas between, whose `X-Forwarded-For` and `-Proto` are believed.",
    )
    max_body_bytes: int = Field(
        256 * 1024, ge=1024, le=64 * 1024 * 1024, description="Largest body of a request, in bytes."
    )
    request_timeout_s: float = Field(15, gt=0, le=300, description="How long a request may take to arrive, in seconds.")
    ping_interval_s: float = Field(
        20, gt=0, le=300, description="How often a WebSocket's client is asked whether it is there, and for how long."
    )
    max_operations_per_connection: int = Field(
        50, ge=1, le=10_000, description="Most operations at once on a WebSocket."
    )
    max_operations_at_once: int = Field(
        4, ge=1, le=1000, description="Queries and mutations of a user that are executed at once; more wait."
    )
    max_result_bytes: int = Field(
        1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Largest result of an operation, or of an event."
    )
    max_connections: int = Field(
        10_000, ge=10, le=1_000_000, description="Most connections at once, if the process may open so many files."
    )
    max_connections_per_user: int = Field(20, ge=1, le=100_000, description="Most WebSockets of a user at once.")
    max_connections_per_address: int = Field(
        1000, ge=1, le=100_000, description="Most connections from an IP address at once."
    )

    @property
    def origins(self) -> frozenset[str]:
        """The other origins whose pages may use this server."""
        return frozenset(origin.strip() for origin in self.allowed_origins.split(",") if origin.strip())

    @property
    def base_url(self) -> str:
        """The address that download URLs begin with."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def retention(self) -> timedelta | None:
        """How long ended renders are kept; for ever if None."""
        return None if self.retention_days is None else timedelta(days=self.retention_days)

    @property
    def download_expiry(self) -> timedelta:
        """How long a download URL works."""
        return timedelta(seconds=self.download_expiry_s)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` win over the environment. Raises `StartupError` with a line per fault."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        faults = (f"{variable(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors())
        raise StartupError("\n".join(faults)) from None


def variable(name: str) -> str:
    """Return the environment variable of a setting, given by its own name or by that of its variable."""
    field = Settings.model_fields.get(name.lower())
    alias = None if field is None else field.validation_alias
    if alias is not None or name.isupper():
        return str(alias or name)
    return f"RENDERCAST_{name.upper()}"

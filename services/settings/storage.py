"""Settings of data storage."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from services.settings.base import SettingsGroup


class StorageSettings(SettingsGroup):
    """The data folder, MongoDB and Redis."""

    data_dir: Path = Field(Path(".rendercast"), description="Folder of the embedded store and of rendered videos.")
    mongodb_url: SecretStr | None = Field(
        None,
        validation_alias="MONGODB_URL",
        description="MongoDB URL for `serve` and `worker`. The server must be a replica set.",
    )
    redis_url: SecretStr | None = Field(
        None, validation_alias="REDIS_URL", description="Redis URL for `serve` and `worker`."
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=24_000,
        description="Days after which ended renders are deleted, with their files in the data folder. A bucket needs a "
        "lifecycle rule instead. Unset: never. It must be the same for `serve`, `worker` and `migrate`: each sets it "
        "in MongoDB when it starts.",
    )

    @property
    def retention(self) -> timedelta | None:
        """How long ended renders are stored; None means without limit."""
        return None if self.retention_days is None else timedelta(days=self.retention_days)

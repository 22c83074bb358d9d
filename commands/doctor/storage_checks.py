"""The check of `rendercast doctor` for the output bucket of renderers on this machine."""

from commands.doctor.report import CheckGroup, CheckSkipped
from services.storage.s3_access import read_s3_access
from services.storage.s3_checks import check_bucket


async def check_storage(group: CheckGroup) -> None:
    """Check that outputs can be stored in the bucket, read by signed URL only, and deleted."""

    async def check() -> str:
        if group.renderer == "lambda":
            raise CheckSkipped("The checks of S3 include the output storage.")
        access = read_s3_access(group.settings.outputs)
        if access is None:
            raise CheckSkipped("Outputs are stored in the data folder.")
        return await check_bucket(access)

    await group.check("output storage", check)

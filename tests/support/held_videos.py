"""An object store that stores no video before a test lets it, so that the renders of a function last until then."""

from tests.support.s3_server import ObjectStore


class HeldVideos:
    """The objects of another store. It is unavailable for new videos until `release`; the function tries again."""

    def __init__(self, s3: ObjectStore) -> None:
        self._s3 = s3
        self._is_released = False

    def release(self) -> None:
        """Store videos from now on."""
        self._is_released = True

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Store an object. Raises `ConnectionError` for a video that is held."""
        if key.endswith(".mp4") and not self._is_released:
            raise ConnectionError("The test holds the videos.")
        self._s3.put(bucket, key, body, content_type)

    def get(self, bucket: str, key: str) -> bytes | None:
        """Return an object's content; None if it doesn't exist."""
        return self._s3.get(bucket, key)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the keys of a bucket that start with `prefix`, in order."""
        return self._s3.keys(bucket, prefix)

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object, if it exists."""
        self._s3.delete(bucket, key)

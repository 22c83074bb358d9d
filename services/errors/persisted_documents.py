"""Errors of requests that name a document by its identifier. Apollo's clients, urql and others know the first two."""

from services.errors.base import UserError


class PersistedQueryNotSupported(UserError):
    """The server has no documents. The client sends the document instead, now and later."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class PersistedQueryNotFound(UserError):
    """The server has no document with this identifier. The client sends the document instead."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class DocumentNotTrusted(UserError):
    """The server executes only documents that it has, and this is none of them."""

    code = "DOCUMENT_NOT_TRUSTED"

    def __init__(self) -> None:
        super().__init__("This server executes only the documents of its own applications.")

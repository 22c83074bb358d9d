"""Documents that the operator has put into a file, which clients name by their identifiers."""

import json
from collections.abc import Mapping
from pathlib import Path

from services.errors import (
    DocumentNotTrusted,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    StartupError,
)
from services.settings import GraphQLSettings, variable

SHA256_PREFIX = "sha256:"  # https://graphql.github.io/graphql-over-http/draft/#sec-SHA256-Hex-Document-Identifier


class TrustedDocuments:
    """Finds the document of a request. With `only`, other documents than the operator's are rejected."""

    def __init__(self, documents: Mapping[str, str] | None, *, only: bool) -> None:
        self._documents = documents and {_bare(identifier): text for identifier, text in documents.items()}
        self._only = only
        self._texts = frozenset((documents or {}).values())

    def find(self, text: str | None, document_id: str | None) -> str:
        """Return the document: `text` if it is given, otherwise the one with the identifier.

        Raises `PersistedQueryNotSupported`, `PersistedQueryNotFound`, or `DocumentNotTrusted`.
        """
        if text or document_id is None:
            if self._only and text not in self._texts:
                raise DocumentNotTrusted
            return text or ""
        if self._documents is None:
            raise PersistedQueryNotSupported
        found = self._documents.get(_bare(document_id))
        if found is None:
            raise DocumentNotTrusted if self._only else PersistedQueryNotFound
        return found


def _bare(identifier: str) -> str:
    """Return an identifier without its prefix: clients and tools differ in whether they write it."""
    return identifier.removeprefix(SHA256_PREFIX)


def load_trusted_documents(settings: GraphQLSettings) -> TrustedDocuments:
    """Read the file of the settings. Raises `StartupError`."""
    path = settings.trusted_documents
    if path is None and settings.trusted_documents_only:
        only, file = variable("trusted_documents_only"), variable("trusted_documents")
        raise StartupError(f"{only} is true, but there are no trusted documents: set {file}.")
    return TrustedDocuments(None if path is None else _read(path), only=settings.trusted_documents_only)


def _read(path: Path) -> Mapping[str, str]:
    name = variable("trusted_documents")
    try:
        documents = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartupError(f"{name}: {path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise StartupError(f"{name}: {path} is not valid JSON: {error}.") from error
    if not isinstance(documents, dict) or not all(isinstance(text, str) and text for text in documents.values()):
        raise StartupError(f"{name}: {path} must be a JSON object of identifiers and documents, which are texts.")
    return documents

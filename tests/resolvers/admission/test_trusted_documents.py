"""The operator's documents: the file, and how requests name a document."""

from pathlib import Path

import pytest

from resolvers.admission.trusted_documents import TrustedDocuments, load_trusted_documents
from services.errors import DocumentNotTrusted, PersistedQueryNotFound, PersistedQueryNotSupported, StartupError
from services.settings import default_settings

DOCUMENTS = {"abc": "{ a }", "sha256:def": "{ d }"}


@pytest.mark.parametrize("only", [False, True])
@pytest.mark.parametrize(
    ("identifier", "document"),
    [("abc", "{ a }"), ("sha256:abc", "{ a }"), ("sha256:def", "{ d }"), ("def", "{ d }")],
)
def test_a_document_is_found_by_its_identifier(identifier: str, document: str, only: bool) -> None:  # noqa: FBT001
    assert TrustedDocuments(DOCUMENTS, only=only).find(None, identifier) == document


def test_a_document_that_is_sent_is_used() -> None:
    for documents in (None, DOCUMENTS):
        found = TrustedDocuments(documents, only=False)
        assert [found.find("{ x }", None), found.find("{ x }", "abc"), found.find("", None)] == ["{ x }", "{ x }", ""]


def test_if_only_trusted_documents_are_executed_others_are_rejected() -> None:
    trusted = TrustedDocuments(DOCUMENTS, only=True)
    assert trusted.find("{ a }", None) == trusted.find("{ a }", "unknown") == "{ a }"
    for text, identifier in (("{ x }", None), ("{ x }", "abc"), (None, "unknown"), (None, None), ("", None)):
        with pytest.raises(DocumentNotTrusted):
            trusted.find(text, identifier)


def test_an_unknown_identifier_is_an_error_that_clients_understand() -> None:
    with pytest.raises(PersistedQueryNotFound, match=r"^PersistedQueryNotFound$"):
        TrustedDocuments(DOCUMENTS, only=False).find(None, "unknown")
    with pytest.raises(PersistedQueryNotSupported, match=r"^PersistedQueryNotSupported$"):
        TrustedDocuments(None, only=False).find(None, "abc")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read: No such file"),
        ("{", "is not valid JSON"),
        ("[]", "must be a JSON object"),
        ('{"abc": 1}', "must be a JSON object"),
        ('{"abc": ""}', "must be a JSON object"),
    ],
)
def test_a_file_that_is_not_valid_prevents_the_start(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "documents.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartupError, match=f"^RENDERCAST_TRUSTED_DOCUMENTS: {path} {reason}"):
        load_trusted_documents(default_settings(trusted_documents=path).graphql)


def test_only_trusted_documents_without_any_prevent_the_start() -> None:
    with pytest.raises(StartupError, match=r"set RENDERCAST_TRUSTED_DOCUMENTS\.$"):
        load_trusted_documents(default_settings(trusted_documents_only=True).graphql)

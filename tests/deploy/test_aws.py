"""The documents of deploy/aws: what AWS accepts, and what the code needs."""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from services.backends.remotion_lambda import hints, keys
from services.backends.remotion_lambda.startup_checks import PROBES
from services.settings import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "aws"
DOCUMENTS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
POLICIES = {name: document for name, document in DOCUMENTS.items() if name.endswith("-policy.json")}
DEPLOYING = (CHECKOUT / "docs" / "deploying.md").read_text(encoding="utf-8")
BUCKET = "arn:aws:s3:::remotionlambda-useast1-abcdefghij"
SESSION = botocore.session.get_session()
# The permission of each call, from https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
# and https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html.
PERMISSIONS = {
    "delete_objects": "s3:DeleteObject",
    "get_bucket_encryption": "s3:GetEncryptionConfiguration",
    "get_bucket_lifecycle_configuration": "s3:GetLifecycleConfiguration",
    "get_bucket_versioning": "s3:GetBucketVersioning",
    "get_function_event_invoke_config": "lambda:GetFunctionEventInvokeConfig",
    "get_object": "s3:GetObject",
    "head_bucket": "s3:ListBucket",
    "head_object": "s3:GetObject",
    "invoke": "lambda:InvokeFunction",
    "list_objects_v2": "s3:ListBucket",
    "put_object": "s3:PutObject",
}
VIDEO, POSTER = keys.output_key("id", 1, "mp4"), keys.poster_key("id")
PROGRESS, CANCEL, PROPS = keys.progress_key("id"), keys.cancel_key("id"), keys.props_key("0f")
NEEDED = [
    *(("worker", "s3:GetObject", key) for key in (PROGRESS, VIDEO)),
    *(("worker", "s3:PutObject", key) for key in (CANCEL, PROPS, VIDEO, POSTER)),
    *(("api", "s3:GetObject", key) for key in (VIDEO, POSTER)),
    *(("api", "s3:DeleteObject", key) for key in (VIDEO, POSTER, PROGRESS, CANCEL)),
    *((role, "s3:ListBucket", "") for role in ("worker", "api")),
    ("doctor", "s3:PutObjectAcl", VIDEO),
    *(
        ("worker", "s3:DeleteObject", key)
        for key in (f"rendercast/{PROBES}0f-video", f"renders/{PROBES}0f/cancel.json")
    ),
]
REJECTED = [
    *(("worker", "s3:DeleteObject", key) for key in (VIDEO, PROGRESS)),
    *(("worker", "s3:PutObject", key) for key in (PROGRESS, "sites/rendercast/index.html")),
    *(("api", "s3:PutObject", key) for key in (VIDEO, CANCEL, PROPS)),
    *(("api", "s3:GetObject", key) for key in (PROGRESS, PROPS)),
    *(("bucket", "s3:GetObject", key) for key in (VIDEO, POSTER, PROGRESS, PROPS)),
]


def shape(service: str, operation: str) -> Any:
    """Return the shape of an operation's parameters."""
    return SESSION.get_service_model(service).operation_model(operation).input_shape


def operations() -> set[str]:
    """Return the methods of boto3's clients of Lambda and S3."""
    models = (SESSION.get_service_model(name) for name in ("lambda", "s3"))
    return {xform_name(operation) for model in models for operation in model.operation_names}


def calls() -> Iterator[str]:
    """Yield the methods of boto3's clients that the Lambda backend calls, directly or by name."""
    names = operations()
    services = CHECKOUT / "services"
    for path in (*(services / "backends" / "remotion_lambda").glob("*.py"), services / "storage" / "s3.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                yield from names.intersection([node.func.attr, *(text for text in texts if isinstance(text, str))])


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in as_list(statement["Action"])}


def allows(role: str, action: str, key: str) -> bool:
    """Return whether the policy allows the action on an object, or on the bucket if the key is empty."""
    resource = f"{BUCKET}/{key}" if key else BUCKET
    return any(
        action in as_list(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))
        for statement in POLICIES[f"{role}-policy.json"]["Statement"]
    )


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_allows_single_actions_on_named_resources(policy: dict[str, Any]) -> None:
    assert policy["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert not [action for action in as_list(statement["Action"]) if "*" in action]
        assert not [
            resource for resource in as_list(statement["Resource"]) if resource.count("*") > 1 or resource == "*"
        ]


def test_the_policies_have_the_permissions_of_the_calls_and_no_others() -> None:
    called = set(calls())
    assert called == PERMISSIONS.keys()
    needed = {PERMISSIONS[name] for name in called}
    granted = {action for role in ("worker", "api", "doctor") for action in actions(POLICIES[f"{role}-policy.json"])}
    assert granted == needed | {"s3:PutObjectAcl"}  # of PutObject with an access control list


def test_the_api_cannot_invoke_the_function() -> None:
    assert "lambda:InvokeFunction" in actions(POLICIES["worker-policy.json"])
    assert "lambda:InvokeFunction" not in actions(POLICIES["api-policy.json"])


@pytest.mark.parametrize(("role", "action", "key"), NEEDED)
def test_a_role_may_do_what_it_does(role: str, action: str, key: str) -> None:
    assert allows(role, action, key)


@pytest.mark.parametrize(("role", "action", "key"), REJECTED)
def test_a_role_may_do_nothing_else(role: str, action: str, key: str) -> None:
    assert not allows(role, action, key)


def test_only_the_site_is_public() -> None:
    (statement,) = POLICIES["bucket-policy.json"]["Statement"]
    assert statement["Principal"] == "*"
    assert allows("bucket", "s3:GetObject", "sites/rendercast/index.html")


def test_s3_accepts_the_lifecycle() -> None:
    lifecycle = {"Bucket": "bucket", "LifecycleConfiguration": DOCUMENTS["lifecycle.json"]}
    report = ParamValidator().validate(lifecycle, shape("s3", "PutBucketLifecycleConfiguration"))
    assert report.generate_report() == ""
    rules = DOCUMENTS["lifecycle.json"]["Rules"]
    assert len({rule["ID"] for rule in rules}) == len(rules)
    # S3 rejects ExpiredObjectDeleteMarker beside Days or Date.
    assert all(len(rule["Expiration"]) == 1 for rule in rules)


@pytest.mark.parametrize("key", [VIDEO, POSTER, PROGRESS, CANCEL, PROPS])
def test_every_object_expires_and_its_deleted_versions_are_erased(key: str) -> None:
    rules = [rule for rule in DOCUMENTS["lifecycle.json"]["Rules"] if key.startswith(rule["Filter"]["Prefix"])]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    assert any("Days" in rule["Expiration"] for rule in rules)
    assert any(rule.get("NoncurrentVersionExpiration") == {"NoncurrentDays": 1} for rule in rules)
    assert any(rule["Expiration"].get("ExpiredObjectDeleteMarker") for rule in rules)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_the_lifecycle_keeps_the_site() -> None:
    rules = [rule for rule in DOCUMENTS["lifecycle.json"]["Rules"] if "sites/x".startswith(rule["Filter"]["Prefix"])]
    assert [rule["Expiration"] for rule in rules] == [{"ExpiredObjectDeleteMarker": True}]


def test_lambda_accepts_the_event_invoke_config_and_drops_late_launches() -> None:
    config = DOCUMENTS["event-invoke-config.json"]
    report = ParamValidator().validate(config, shape("lambda", "PutFunctionEventInvokeConfig"))
    assert report.generate_report() == ""
    assert config["MaximumRetryAttempts"] == 0
    assert config["MaximumEventAgeInSeconds"] == hints.MAX_EVENT_AGE_S


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_guide_links_to_every_document(name: str) -> None:
    assert f"](../deploy/aws/{name})" in DEPLOYING


@pytest.mark.parametrize("role", ["worker", "api", "doctor"])
def test_the_guide_explains_every_statement(role: str) -> None:
    sids = [statement["Sid"] for statement in POLICIES[f"{role}-policy.json"]["Statement"]]
    documented = re.findall(r"^\| `([A-Z]\w+)` \| \S", DEPLOYING, re.MULTILINE)
    assert set(sids) <= set(documented)

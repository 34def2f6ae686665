"""What a store says when it cannot keep a record, in words that a user can act on. No key is ever shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from probes.errors import ProbeError, StoreUnavailable, UsageError
from probes.store_conflict import RESUME

CREDENTIALS_HINT = 'eval "$(python -m lab env)" (or set the AWS credentials of your own store), then: ' + RESUME
TAKEN = frozenset({"PreconditionFailed", "412"})
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403"})
KEYS_WRONG = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"}) | EXPIRED
FULL = frozenset({"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded", "507"})
SKEWED = frozenset({"RequestTimeTooSkewed"})
REDIRECTED = frozenset({"PermanentRedirect", "TemporaryRedirect", "Redirect", "301", "302", "307", "308"}) | {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
UNSUPPORTED = frozenset({"NotImplemented", "501", "NotSupported"})
# Answers to damaged or cut requests, and to two writers at once; the same request may succeed.
PASSING = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
PASSING_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
PASSING_ERRORS = (
    ConnectTimeoutError,
    ConnectionClosedError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
CHAIN_ERRORS = (
    ConfigParseError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
Failure = ClientError | BotoCoreError


def code_of(error: Failure) -> str:
    """Give the code that the store answered, empty where there was no answer."""
    return _details(error).get("Code", "")


def status_of(error: Failure) -> int:
    """Give the HTTP status, 0 where there was no answer."""
    return int(_metadata(error).get("HTTPStatusCode", 0))


def is_passing(error: Failure) -> bool:
    """Tell whether the same request may succeed a moment later."""
    if isinstance(error, BotoCoreError):
        return isinstance(error, PASSING_ERRORS) and not isinstance(error, SSLError)
    code = code_of(error)
    known = FULL | UNSUPPORTED | SKEWED | KEYS_WRONG
    return code in PASSING or (status_of(error) in PASSING_STATUS and code not in known)


def retry_after_s(error: Failure) -> float:
    """Give the seconds that the store asks to wait, 0 where it says nothing."""
    told = str(_metadata(error).get("HTTPHeaders", {}).get("retry-after", ""))
    return float(told) if told.isdigit() else 0.0


def explain(error: Failure, *, bucket: str, where: str, secrets: Sequence[str] = ()) -> ProbeError:
    """Turn what boto3 raised into an error for a user.

    Args:
        error: What it raised.
        bucket: Name of the bucket.
        where: Endpoint, for people.
        secrets: Texts that must not be shown, whoever wrote them into an answer.
    """
    if isinstance(error, BotoCoreError):
        return _explain_failure(error, bucket, where, secrets)
    return _explain_answer(error, bucket, where, secrets)


def _explain_failure(error: BotoCoreError, bucket: str, where: str, secrets: Sequence[str]) -> ProbeError:
    """Say why there was no answer."""
    if isinstance(error, NoCredentialsError):
        return StoreUnavailable(
            f"There are no S3 credentials for bucket {bucket!r} at {where}.",
            next_step=CREDENTIALS_HINT,
            reason="no_credentials",
        )
    if isinstance(error, CHAIN_ERRORS):
        # The text of these errors may hold what a credential process printed.
        return StoreUnavailable(
            f"The AWS credential chain gives no credentials for bucket {bucket!r}: {type(error).__name__}.",
            next_step=CREDENTIALS_HINT,
            reason="no_credentials",
        )
    if isinstance(error, ParamValidationError):
        return UsageError(
            f"Bucket or key is not valid for S3 ({bucket!r} at {where}): {hidden(str(error), secrets)}.",
            next_step="correct records: in the stack file, or --store",
        )
    if isinstance(error, SSLError):
        return StoreUnavailable(
            f"The certificate of the S3 store {where} is not trusted: {hidden(str(error), secrets)}.",
            next_step=f"export AWS_CA_BUNDLE=FILE with the authority that signed it, then: {RESUME}",
            reason="certificate_not_trusted",
        )
    if isinstance(error, FlexibleChecksumError):
        return StoreUnavailable(
            f"What the S3 store {where} sends does not match the checksum that it sends with it.",
            next_step=f"check the store and the way to it, then: {RESUME}",
            reason="answer_damaged",
        )
    return StoreUnavailable(
        f"The S3 store {where} cannot be reached or did not answer to the end: {hidden(str(error), secrets)}.",
        next_step=f"start it, then: {RESUME}",
        reason="store_unreachable",
    )


def _explain_answer(error: ClientError, bucket: str, where: str, secrets: Sequence[str]) -> ProbeError:
    """Say what the store's answer means."""
    code, operation = code_of(error), error.operation_name
    if code == "NoSuchBucket" or (code == "404" and operation == "HeadBucket"):
        text, step, reason = f"Bucket {bucket!r} does not exist at {where}", CREATE_BUCKET, "bucket_missing"
    elif code in {"NoSuchKey", "404"}:
        text, step, reason = f"Bucket {bucket!r} at {where} holds no such object", DOCTOR, "object_missing"
    elif code in KEYS_WRONG:
        text, step, reason = f"The S3 store {where} refuses the credentials", CREDENTIALS_HINT, "credentials_refused"
    elif code in SKEWED:
        text = f"The clocks of this machine and of the S3 store {where} differ too much{_clocks(error)}"
        step, reason = f"set the clock of this machine, then: {RESUME}", "clock_skewed"
    elif code in FULL:
        text, step, reason = f"The S3 store {where} is full", f"make room in it, then: {RESUME}", "store_full"
    elif code in DENIED:
        text = f"The credentials may not do {operation} in bucket {bucket!r} at {where}"
        step, reason = f"grant it (docs/storage.md), then: {RESUME}", "access_denied"
    elif code in REDIRECTED or status_of(error) in {301, 302, 307, 308}:
        text = f"Bucket {bucket!r} is not at {where}{_other_place(error)}"
        step, reason = f"correct records.endpoint and records.region, then: {RESUME}", "bucket_elsewhere"
    elif code in UNSUPPORTED:
        text, reason = f"The S3 store {where} cannot do {operation} as records need it", "store_unsupported"
        step = f"use a store of docs/storage.md, or --store dir:PATH; then: {RESUME}"
    else:
        text, step, reason = f"The S3 store {where} refuses {operation}", RESUME, "store_refused"
    said = f"{code} {_details(error).get('Message', '')}".strip()
    return StoreUnavailable(f"{text}: {hidden(said, secrets)}.", next_step=step, reason=reason)


CREATE_BUCKET = f"create it or correct records: in the stack file, then: {RESUME}"
DOCTOR = "python -m probes.doctor"


def hidden(text: str, secrets: Sequence[str]) -> str:
    """Take secrets out of a text."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text.rstrip(". ")


def _clocks(error: ClientError) -> str:
    told = str(_metadata(error).get("HTTPHeaders", {}).get("date", ""))
    here = datetime.now(UTC)
    try:
        apart_s = (here - parsedate_to_datetime(told)).total_seconds()
    except (TypeError, ValueError):
        return f" (here {here:%Y-%m-%dT%H:%M:%SZ})"
    return f" (this machine is {apart_s:+.0f} s from the store)"


def _other_place(error: ClientError) -> str:
    headers = _metadata(error).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or _details(error).get("Region")
    endpoint = _details(error).get("Endpoint") or headers.get("location")
    told = [f"region {region}"] * bool(region) + [str(endpoint)] * bool(endpoint)
    return f" but at {', '.join(told)}" if told else ""


def _details(error: Failure) -> dict[str, Any]:
    return dict(error.response.get("Error", {})) if isinstance(error, ClientError) else {}


def _metadata(error: Failure) -> dict[str, Any]:
    return dict(error.response.get("ResponseMetadata", {})) if isinstance(error, ClientError) else {}

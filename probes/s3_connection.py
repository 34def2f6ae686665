"""A connection to an S3 store: credentials of the AWS chain, requests that are sent again, errors in words."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from probes.backoff import Backoff
from probes.errors import UsageError
from probes.store_problems import EXPIRED, code_of, explain, is_passing, retry_after_s

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Answer = TypeVar("Answer")


class S3Connection:
    """What sends requests about one bucket; several threads may share it.

    What is asked for ends at most `backoff.total_s` + `connect_s` + `answer_s` after the store fell silent.

    Args:
        bucket: The bucket that errors name.
        endpoint: Address; None means AWS.
        region: Region name for signing.
        backoff: When to try again.
        connect_s: Longest time to connect.
        answer_s: Longest silence of the store.
    """

    def __init__(
        self, bucket: str, endpoint: str | None, region: str, backoff: Backoff, *, connect_s: float, answer_s: float
    ) -> None:
        self._bucket = bucket
        self._endpoint = endpoint
        self._region = region
        self._backoff = backoff
        self._config = Config(
            connect_timeout=connect_s,
            read_timeout=answer_s,
            # `call` tries again, with the reading of the answer inside; twice would multiply.
            retries={"mode": "standard", "total_max_attempts": 1},
            s3={"addressing_style": "path"} if endpoint else {},
        )
        self._session: boto3.session.Session | None = None
        self._client: S3Client | None = None
        self._replaced: tuple[str, ...] = ()
        self._opening = threading.Lock()

    @property
    def where(self) -> str:
        """Endpoint for people, without a password that somebody may have put into it."""
        if self._endpoint is None:
            return f"AWS ({self._region})"
        scheme, separator, rest = self._endpoint.rpartition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"

    def call(self, operation: "Callable[[S3Client], Answer]", *, attempts: int | None = None) -> Answer:
        """Do something with the store, again where that may help; expired credentials are read anew once.

        Args:
            operation: What to do; it sends one request.
            attempts: Most requests, where the backoff allows too many.

        Raises:
            StoreUnavailable: It cannot be done.
            UsageError: Bucket, key or endpoint are no valid ones.
        """
        began_s, attempt, is_renewed = self._backoff.clock(), 0, False
        while True:
            try:
                return operation(self._connected())
            except (ClientError, BotoCoreError) as error:
                if code_of(error) in EXPIRED and not is_renewed:
                    self._replaced = self._secrets()
                    self._client, is_renewed = None, True
                    continue
                wait_s = self._backoff.wait_s(attempt, retry_after_s(error))
                if not is_passing(error) or not self._backoff.may_go_on(attempt, began_s, wait_s, attempts):
                    raise explain(error, bucket=self._bucket, where=self.where, secrets=self._secrets()) from None
            self._backoff.sleep(wait_s)
            attempt += 1

    def _connected(self) -> "S3Client":
        with self._opening:
            if self._client is None:
                self._session = boto3.session.Session()
                self._client = self._new_client(self._session)
            return self._client

    def _new_client(self, session: boto3.session.Session) -> "S3Client":
        try:
            client = session.client("s3", endpoint_url=self._endpoint, region_name=self._region, config=self._config)
        except ValueError:
            raise UsageError(
                f"{self.where} is not the address of an S3 store, or {self._region!r} not a region.",
                next_step="correct records.endpoint and records.region in the stack file (ROS2BENCH_RECORDS_ENDPOINT)",
            ) from None
        if self._endpoint:
            client.meta.events.register("before-call.s3", _stay_here)
        return client

    def _secrets(self) -> tuple[str, ...]:
        """Give what no message may hold, replaced credentials among it."""
        userinfo = self._endpoint.rpartition("://")[2].rpartition("@")[0] if self._endpoint else ""
        try:
            credentials = self._session.get_credentials() if self._session else None
            frozen = credentials.get_frozen_credentials() if credentials else None
        except BotoCoreError:
            # The chain itself fails; then nothing was sent that an answer could repeat.
            frozen = None
        found = (frozen.secret_key, frozen.token, frozen.access_key) if frozen else ()
        return tuple(secret for secret in (*found, *self._replaced, userinfo) if secret)


def _stay_here(context: dict[str, Any], **_: object) -> None:
    """Keep botocore from looking for the bucket in another region of AWS: there is none behind an own endpoint.

    Where the endpoint redirects that question as well, botocore 1.44 asks it without end.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True

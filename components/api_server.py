"""Questions to a cluster's API server: what it serves, what the account may do there, what has become of an object.

Plans ask through the protocol `ApiServer`, so that tests answer in its place; where a stack is rendered without a
cluster there is none, and nothing is asked.
"""

import asyncio
import json
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from components.refusal import Refusal

TIMEOUT_S = 10
NOT_FOUND = 404
FIRST_ERROR = 400


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Status code and JSON body of one answer."""

    status: int
    body: Mapping[str, Any]


class ApiServer(Protocol):
    """Who answers for a cluster."""

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Ask one thing.

        Args:
            method: HTTP method.
            path: From the root, for example `/apis/apps/v1`.
            body: JSON, where the method takes one.

        Raises:
            Refusal: The cluster does not answer.
        """
        ...


@dataclass(frozen=True)
class Connection:
    """A real API server, by context of a kubeconfig."""

    context: str
    kubeconfigs: tuple[Path, ...]

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Ask one thing; see `ApiServer`."""
        import httpx  # noqa: PLC0415 - with kr8s half a second, and only some stacks ask
        import kr8s  # noqa: PLC0415

        # The program runs inside an event loop of Pulumi's; this needs one of its own, so a thread of its own.
        with ThreadPoolExecutor(max_workers=1) as pool:
            try:
                return pool.submit(asyncio.run, self._called(method, path, body)).result()
            except (kr8s.ServerError, kr8s.APITimeoutError, httpx.HTTPError, OSError, ValueError) as error:
                raise Refusal(
                    f"cluster: {method} {path} on the API server of context {self.context!r} failed: {error}. "
                    f"Try: kubectl --context {self.context} get --raw {path}"
                ) from None

    async def _called(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
        import kr8s  # noqa: PLC0415 - as above
        import kr8s.asyncio  # noqa: PLC0415

        with warnings.catch_warnings():
            # The client warns about cluster versions that it was not tested with.
            warnings.simplefilter("ignore", UserWarning)
            api: Any = await kr8s.asyncio.api(kubeconfig=":".join(map(str, self.kubeconfigs)), context=self.context)
        api.timeout = TIMEOUT_S
        root, _, rest = path.lstrip("/").partition("/")
        sent = {} if body is None else {"json": dict(body)}
        async with api.call_api(
            method, version="", base=f"/{root}", url=rest, raise_for_status=False, **sent
        ) as response:
            return Reply(status=response.status_code, body=decoded(response.text))


def decoded(text: str) -> Mapping[str, Any]:
    """JSON object of an answer; empty for plain text, with which the API server says that it has no such group."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def connect(context: str, kubeconfigs: Sequence[Path]) -> ApiServer:
    """The API server of a context; nothing is sent before the first question.

    Args:
        context: Context of the kubeconfig.
        kubeconfigs: Files of KUBECONFIG in order.
    """
    return Connection(context, tuple(kubeconfigs))


def resources(api: ApiServer, group_version: str) -> frozenset[str] | None:
    """Names of the resources of an API group, for example `podmonitors`; None where the group is not served.

    Args:
        api: Whom to ask.
        group_version: For example `monitoring.coreos.com/v1`.

    Raises:
        Refusal: The cluster does not answer, or not to this account.
    """
    path = f"/apis/{group_version}"
    reply = api.call("GET", path)
    # A group whose own server is down answers 503: it is there, and nobody can use it.
    if reply.status == NOT_FOUND:
        return None
    _check(reply, path)
    listed = cast("list[dict[str, Any]]", reply.body.get("resources") or [])
    return frozenset(str(each["name"]) for each in listed)


def may(api: ApiServer, *, verb: str, group: str, resource: str, namespace: str | None = None) -> bool:
    """Whether the kubeconfig's account may do something (SelfSubjectAccessReview).

    Args:
        api: Whom to ask.
        verb: For example `create`.
        group: API group, empty for the core group.
        resource: Plural name.
        namespace: Where; None for the whole cluster.

    Raises:
        Refusal: The cluster does not answer, or not to this account.
    """
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {"verb": verb, "group": group, "resource": resource} | ({"namespace": namespace} if namespace else {})
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    reply = api.call("POST", path, body)
    _check(reply, path)
    return bool(reply.body.get("status", {}).get("allowed", False))


def listed(api: ApiServer, path: str) -> tuple[Mapping[str, Any], ...]:
    """Items of a list, for example of `/apis/storage.k8s.io/v1/storageclasses`.

    Raises:
        Refusal: The cluster does not answer, or not to this account.
    """
    return tuple(cast("list[dict[str, Any]]", read(api, path).get("items") or []))


def read(api: ApiServer, path: str) -> Mapping[str, Any]:
    """What the API server gives under a path.

    Raises:
        Refusal: The cluster does not answer, or not to this account.
    """
    reply = api.call("GET", path)
    _check(reply, path)
    return reply.body


def _check(reply: Reply, path: str) -> None:
    if reply.status >= FIRST_ERROR:
        said = reply.body.get("message", "no reason given")
        raise Refusal(
            f"cluster: the API server answered {reply.status} to {path}: {said}. Use an account that may ask this, "
            f"or try: kubectl get --raw {path}"
        )

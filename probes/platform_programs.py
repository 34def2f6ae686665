"""Programs of a platform that probes ask: which stack has one, and the way there: the API server, or an address."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

import httpx

from probes.cluster import KubernetesCluster, connect
from probes.errors import TargetError, UsageError
from probes.target import PulumiTarget
from stacks.outputs import Observability, ProgramEndpoint, StackOutputs

TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0

UNAUTHORISED = (401, 403)


@dataclass(frozen=True)
class Access:
    """Who asks a program, and whose signature its certificate must have.

    Attributes:
        headers: Are sent with every question.
        authorities: Of certificates; those that Python trusts by default where there are none.
    """

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    authorities: SSLContext | None = None


OPEN = Access()
Connect = Callable[[], AbstractAsyncContextManager[KubernetesCluster]]


def platform_outputs(target: PulumiTarget, outputs: StackOutputs, asked: str | None) -> StackOutputs:
    """Give the contract of the platform that a stack uses: its own, or of the stack that is named.

    Args:
        target: The stacks of the project.
        outputs: Contract of the stack.
        asked: Option `--platform`.

    Raises:
        UsageError: Nobody names one.
        TargetError: The stack that is named is not up.
    """
    if asked is None and outputs.kind != "experiment":
        return outputs
    name = asked or outputs.platform
    if name is None:
        raise UsageError(
            f"Stack {outputs.stack} names no platform, and --platform none either.",
            next_step=f"set platform: in Pulumi.{outputs.stack}.yaml, or add --platform NAME",
        )
    return target.outputs(target.choose((name,))[0])


def observability_of(platform: StackOutputs) -> Observability:
    """Give what a platform observes; empty where it observes nothing."""
    return platform.observability or Observability(mode="none")


@asynccontextmanager
async def program_client(
    name: str, endpoint: ProgramEndpoint, connect_to: Connect = connect, access: Access = OPEN
) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client of a program of the platform.

    Args:
        name: What it is called in messages.
        endpoint: Where the platform says it answers.
        connect_to: Connects to the cluster.
        access: What a program at an address of its own wants to know; a program of the platform is told nothing.

    Raises:
        TargetError: There is no ready pod of it, or the cluster cannot be reached.
    """
    timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    if endpoint.url is not None:
        authorities = access.authorities or True
        async with httpx.AsyncClient(
            base_url=endpoint.url, timeout=timeout, headers=dict(access.headers), verify=authorities
        ) as client:
            yield client
        return
    async with (
        connect_to() as cluster,
        cluster.program(name, endpoint) as address,
        # The way is a port of this machine, which no proxy knows.
        httpx.AsyncClient(base_url=address, timeout=timeout, trust_env=False) as client,
    ):
        yield client


async def asked(client: httpx.AsyncClient, name: str, request: httpx.Request) -> httpx.Response:
    """Ask a program and give its answer.

    Args:
        client: See `program_client`.
        name: What the program is called in messages.
        request: What it is asked.

    Raises:
        TargetError: It cannot be reached, or answers with an error.
    """
    try:
        answer = await client.send(request)
    except httpx.HTTPError as error:
        raise TargetError(
            f"{name} cannot be asked at {request.url.copy_with(query=None)}: {error or type(error).__name__}.",
            next_step="run again; if it stays, look at its pod (kubectl get pods) or at the address in the stack file",
            reason=f"{name}_unreachable",
        ) from None
    if answer.status_code in UNAUTHORISED:
        raise TargetError(
            f"{name} answered {answer.status_code} to {request.url.copy_with(query=None)}: who asks is not known to "
            "it, or may not ask this.",
            next_step="set the variables ROS2BENCH_LOGS_* for a store of lines (docs/tracing-and-logs.md); look at "
            "what the account may read",
            reason=f"{name}_refused",
        )
    if answer.is_error:
        raise TargetError(
            f"{name} answered {answer.status_code} to {request.url}: {answer.text[:300].strip()}",
            next_step="run again; if it stays, the versions do not fit each other",
            reason=f"{name}_refused",
        )
    return answer

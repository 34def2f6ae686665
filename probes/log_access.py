"""Credentials of a store of lines, from the environment: never from options, which every process of a machine sees."""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from typing import Literal

from probes.errors import UsageError
from probes.platform_programs import Access

USER = "ROS2BENCH_LOGS_USER"
PASSWORD = "ROS2BENCH_LOGS_PASSWORD"  # noqa: S105 - the name of the variable
API_KEY = "ROS2BENCH_LOGS_API_KEY"
AUTHORITY = "ROS2BENCH_LOGS_CA"


def access_of(environment: Mapping[str, str], *, key_scheme: Literal["ApiKey", "Bearer"]) -> Access:
    """Read who asks a store of lines, and which authority signed its certificate; both may be left out.

    Args:
        environment: The variables above.
        key_scheme: How the store wants to be told a key: Elasticsearch has a word of its own.

    Raises:
        UsageError: They contradict each other, or the file of the authority holds no certificate.
    """
    user, password, key = (environment.get(name, "") for name in (USER, PASSWORD, API_KEY))
    if bool(user) != bool(password):
        there, missing = (USER, PASSWORD) if user else (PASSWORD, USER)
        raise UsageError(f"{there} is set, but {missing} is not.", next_step=f"export {missing}=… as well")
    if user and key:
        raise UsageError(
            f"{USER} and {API_KEY} are both set, and a store is told one of them.", next_step=f"unset {API_KEY}"
        )
    headers: dict[str, str] = {}
    if key:
        headers = {"Authorization": f"{key_scheme} {_in_a_header(API_KEY, key)}"}
    elif user:
        headers = {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
    return Access(headers, _authorities(environment.get(AUTHORITY, "")))


def _in_a_header(name: str, text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise UsageError(
            f"{name} holds characters that no header can hold, for example the end of a line.",
            next_step=f"export {name}=… again, without them",
        )
    return text


def _authorities(path: str) -> ssl.SSLContext | None:
    if not path:
        return None
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        # An SSLError is one too: the file is there, and holds no certificate.
        raise UsageError(
            f"{AUTHORITY} is {path}, which holds no certificate in PEM that can be read: {error}.",
            next_step=f"export {AUTHORITY}=FILE of the authority that signed the store's certificate",
        ) from None

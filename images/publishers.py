"""Asks the registries of publishers for the digest of a tag, as anybody may who has no account there.

Sources: OCI Distribution Specification 1.1; Docker Registry token authentication.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from images.errors import BuildError
from images.registry import MANIFEST_TYPES

LISTS = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPT = f"{MANIFEST_TYPES}, {LISTS}"
TAGGED = re.compile(r"(?P<host>[a-z0-9.-]+(:\d+)?)/(?P<repository>[a-z0-9._/-]+):(?P<tag>[\w][\w.-]{0,127})")
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
SERVED_BY: Mapping[str, str] = {"docker.io": "registry-1.docker.io"}
"""Hosts that answer under another name than images are known by."""
UNAUTHORIZED, FOUND, NOT_FOUND = 401, 200, 404


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """An image as its publisher names it."""

    host: str
    repository: str
    tag: str

    def by_digest(self, digest: str) -> str:
        """The same image by digest."""
        return f"{self.host}/{self.repository}@{digest}"


def parse(text: str) -> Tagged:
    """Read `HOST/REPOSITORY:TAG`.

    Raises:
        BuildError: It is something else.
    """
    found = TAGGED.fullmatch(text)
    if found is None:
        raise BuildError(f"{text!r} is no image: HOST/REPOSITORY:TAG is expected")
    return Tagged(host=found["host"], repository=found["repository"], tag=found["tag"])


def digest(image: Tagged, client: httpx.Client) -> str:
    """Digest of a tag: the SHA-256 of the manifest or index that the registry sends, compared with what it says.

    Args:
        image: Which one.
        client: Asks; certificates are checked.

    Raises:
        BuildError: The registry does not answer, does not have it, or sends what it does not say.
    """
    host = SERVED_BY.get(image.host, image.host)
    url = f"https://{host}/v2/{image.repository}/manifests/{image.tag}"
    try:
        reply = client.get(url, headers={"Accept": ACCEPT})
        if reply.status_code == UNAUTHORIZED:
            token = _token(reply.headers.get("WWW-Authenticate", ""), client)
            reply = client.get(url, headers={"Accept": ACCEPT, "Authorization": f"Bearer {token}"})
    except httpx.HTTPError as error:
        raise BuildError(f"{host} does not answer ({error}). Type the same where it can be reached") from error
    if reply.status_code == NOT_FOUND:
        raise BuildError(f"{host} has no {image.repository}:{image.tag}. Correct the tag in images/third_party.toml")
    if reply.status_code != FOUND:
        raise BuildError(f"{url} answered {reply.status_code}")
    computed = f"sha256:{hashlib.sha256(reply.content).hexdigest()}"
    said = reply.headers.get("Docker-Content-Digest", computed)
    if said != computed:
        raise BuildError(f"{url} says that its digest is {said}, but it is {computed}: what arrived was changed")
    return computed


def _token(challenge: str, client: httpx.Client) -> str:
    """Token that anybody gets for reading, from where the registry says."""
    wanted = dict(CHALLENGE.findall(challenge))
    realm = wanted.pop("realm", "")
    if not challenge.startswith("Bearer ") or urlsplit(realm).scheme != "https":
        raise BuildError(f"the registry asks for {challenge or 'a password'}, which is no token for anybody")
    reply = client.get(realm, params={key: wanted[key] for key in ("service", "scope") if key in wanted})
    body: Any = reply.json() if reply.status_code == FOUND else {}
    token = body.get("token") or body.get("access_token")
    if not token:
        raise BuildError(f"{realm} answered {reply.status_code} and gave no token")
    return str(token)

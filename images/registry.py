"""Asks a container registry what it holds."""

import ssl
from pathlib import Path

import httpx

from images.errors import BuildError

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
TIMEOUT_S = 10.0


class Registry:
    """One registry over HTTPS.

    Args:
        host: HOST or HOST:PORT.
        certificate_authority: file of the authority that signed its certificate; None: the machine's own store.
        transport: how requests are sent; for tests.
    """

    def __init__(
        self,
        host: str,
        certificate_authority: Path | None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.host = host
        try:
            trust = ssl.create_default_context(cafile=certificate_authority)
        except OSError as error:
            raise BuildError(
                f"{certificate_authority} cannot be used as a certificate authority: {error}. "
                f"Check --ca or ROS2BENCH_REGISTRY_CA."
            ) from error
        self._client = httpx.Client(base_url=f"https://{host}", verify=trust, timeout=TIMEOUT_S, transport=transport)

    def digest(self, repository: str, reference: str) -> str | None:
        """Digest of a manifest.

        Args:
            repository: path in the registry.
            reference: tag or digest.

        Returns:
            The digest, or None if the registry does not hold it or answers only those who log in (buildah then does).

        Raises:
            BuildError: unreachable, not trusted, or an answer that makes no sense.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        try:
            answer = self._client.head(path, headers={"Accept": MANIFEST_TYPES})
        except httpx.HTTPError as error:
            raise BuildError(self._unreachable(error)) from error
        if answer.status_code in {401, 403, 404}:
            return None
        if answer.status_code != 200 or "Docker-Content-Digest" not in answer.headers:
            raise BuildError(
                f"https://{self.host}{path} answered {answer.status_code}: this is no container registry. "
                f"Check --registry or ROS2BENCH_REGISTRY."
            )
        return answer.headers["Docker-Content-Digest"]

    def layers(self, repository: str, digest: str) -> list[tuple[str, int]]:
        """Digest and bytes of each layer of an image, as it travels.

        Raises:
            BuildError: unreachable, not trusted, or no such image.
        """
        path = f"/v2/{repository}/manifests/{digest}"
        try:
            answer = self._client.get(path, headers={"Accept": MANIFEST_TYPES})
        except httpx.HTTPError as error:
            raise BuildError(self._unreachable(error)) from error
        if answer.status_code != 200:
            raise BuildError(f"https://{self.host}{path} answered {answer.status_code}.")
        return [(layer["digest"], layer["size"]) for layer in answer.json()["layers"]]

    def _unreachable(self, error: httpx.HTTPError) -> str:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return (
                f"The certificate of the registry {self.host} is not signed by a trusted authority ({error}). "
                f"Give the authority's file with --ca or ROS2BENCH_REGISTRY_CA."
            )
        return (
            f"The registry {self.host} does not answer ({error}). "
            f"Check --registry or ROS2BENCH_REGISTRY and that it is running, then run the same command again."
        )

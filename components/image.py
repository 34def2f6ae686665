"""Images by digest, from the lock file that building them wrote; a digest is read, never made up."""

import json
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from components.guardrails import DIGEST_REFERENCE
from components.refusal import Refusal, choices

CONTRACT = 1
REGISTRY_TIMEOUT_S = 5.0
NOT_FOUND = 404
MANIFEST_TYPES = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
THIRD_PARTY = (
    "Learn the digests: make lock-images, then set ROS2BENCH_PLATFORM_IMAGES to the file that it writes (in the lab: "
    "python -m lab up --platform builtin)"
)
BUILD = "python -m images.build --registry {registry} --lock {lock}"


@dataclass(frozen=True, kw_only=True)
class ComponentSignature:
    """The operator's public key, and its signature of the component manifest in an image; both Base64."""

    public_key: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class ImageLock:
    """What a registry holds: repository and digest of each role, and the signature of those with components."""

    path: Path
    registry: str
    digests: Mapping[str, tuple[str, str]]
    flavour: str | None = None
    ros_distro: str | None = None
    operator: str | None = None
    signatures: Mapping[str, ComponentSignature] = field(default_factory=dict[str, ComponentSignature])

    def reference(self, role: str) -> str:
        """Image of a role as `registry/repository@sha256:…`; a reference by digest stays what it is.

        Raises:
            Refusal: The lock has no such role.
        """
        if DIGEST_REFERENCE.fullmatch(role):
            return role
        if role not in self.digests:
            raise Refusal(
                f"{self.path}: images.{role} is not in the image lock. {choices(role, self.digests)}\n"
                f"Build it: {self.build_command()} {role}"
            )
        repository, digest = self.digests[role]
        return f"{self.registry}/{repository}@{digest}"

    def holds(self, name: str) -> bool:
        """Tell whether a name is a role of this lock, so that the image is one of ours."""
        return name in self.digests

    def signature(self, role: str) -> ComponentSignature:
        """Signature of the component manifest in the image of a role.

        Raises:
            Refusal: The lock has none for it.
        """
        if role not in self.signatures:
            signed = ", ".join(sorted(self.signatures)) or "none"
            raise Refusal(
                f"{self.path}: image {role} has no signed component manifest (images.{role}.components), so that "
                f"a component container would load nothing. Signed images: {signed}. Build it: {self.build_command()} "
                f"{role}; or set ros2bench:spec.composition.publicKey and signature"
            )
        return self.signatures[role]

    def operator_key(self) -> str:
        """Public key, in Base64, of whom the recorder and the machine readers obey.

        Raises:
            Refusal: The lock has none, because an earlier version wrote it.
        """
        if self.operator is None:
            raise Refusal(
                f"{self.path}: key operator is missing, so the recorder would not know whose calls to obey. An "
                f"earlier version wrote this lock; the same command adds the key and builds nothing anew that the "
                f"registry holds: {self.build_command()} recorder"
            )
        return self.operator

    def build_command(self) -> str:
        """Command that builds and pushes what is missing."""
        return BUILD.format(registry=self.registry, lock=self.path)


def read_lock(path: Path | None) -> ImageLock:
    """Read the lock file of contract 3.

    Raises:
        Refusal: There is no path, no such file, or it is not a lock; says what to type next.
    """
    build = BUILD.format(registry="HOST:PORT", lock=path or "FILE")
    if path is None:
        raise Refusal(
            "No image lock is named, so there is no image to deploy. Set ROS2BENCH_IMAGES_LOCK or "
            f"ros2bench:spec.images.lock to the file that this writes: {build}"
        )
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"{path}: the image lock does not exist. Build the images: {build}") from None
    except (OSError, ValueError) as error:
        raise Refusal(f"{path}: the image lock cannot be read: {error}. Build the images: {build}") from None
    try:
        return parse_lock(path, document)
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{path}: this is no image lock: {error}. Build the images: {build}") from None


def parse_lock(path: Path, document: Any) -> ImageLock:
    """Typed view of a lock's JSON.

    Raises:
        KeyError: A key is missing.
        TypeError: A value has another type.
        ValueError: Another contract, or a digest that is none.
    """
    lock = _mapping(document, "the whole file")
    if lock["contract"] != CONTRACT:
        raise ValueError(f"key contract is {lock['contract']!r}, this program reads {CONTRACT}")
    registry = str(lock["registry"])
    digests: dict[str, tuple[str, str]] = {}
    signatures: dict[str, ComponentSignature] = {}
    for role, entry in _mapping(lock["images"], "key images").items():
        image = _mapping(entry, f"key images.{role}")
        repository, digest = str(image["repository"]), str(image["digest"])
        if not DIGEST_REFERENCE.fullmatch(f"{registry}/{repository}@{digest}"):
            raise ValueError(f"key images.{role}.digest is {digest!r}, a sha256 digest is expected")
        digests[role] = (repository, digest)
        if "components" in image:
            signed = _mapping(image["components"], f"key images.{role}.components")
            signatures[role] = ComponentSignature(
                public_key=str(signed["public_key"]), signature=str(signed["signature"])
            )
    operator = None
    if "operator" in lock:
        operator = str(_mapping(lock["operator"], "key operator")["public_key"])
    return ImageLock(
        path=path,
        registry=registry,
        digests=digests,
        flavour=lock.get("flavour"),
        ros_distro=lock.get("rosDistro"),
        operator=operator,
        signatures=signatures,
    )


@dataclass(frozen=True, kw_only=True)
class ThirdPartyImages:
    """References by digest of programs that are not ours, by the names of contract 17.

    `path` is the lock that they were read from, if any; what the stack file names itself comes first.
    """

    path: Path | None
    references: Mapping[str, str]

    def holds(self, name: str) -> bool:
        """Tell whether the image of a program is known."""
        return name in self.references

    def reference(self, name: str) -> str:
        """Image of a program by digest.

        Raises:
            Refusal: It is not known; says how to learn it.
        """
        if name not in self.references:
            where = f"{self.path}: images.{name} is not in the lock" if self.path else "No lock of them is named"
            raise Refusal(
                f"image of {name}: {where}. {choices(name, self.references)} {THIRD_PARTY}; or name this one by digest "
                f"in ros2bench:spec.images.platform.{name}"
            )
        return self.references[name]


def read_third_party(path: Path | None, named: Mapping[str, str]) -> ThirdPartyImages:
    """Read the lock of contract 17.

    Args:
        path: The lock, if there is one.
        named: References by digest of the stack file, which come first.

    Raises:
        Refusal: The lock cannot be read, or a reference is not by digest.
    """
    references: dict[str, str] = {}
    if path is not None:
        try:
            document: Any = json.loads(path.read_text(encoding="utf-8"))
            references = _third_party(document)
        except FileNotFoundError:
            raise Refusal(f"{path}: this lock of the platform's images does not exist. {THIRD_PARTY}") from None
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise Refusal(f"{path}: this is no lock of the platform's images: {error}. {THIRD_PARTY}") from None
    for name, found in references.items():
        if not DIGEST_REFERENCE.fullmatch(found):
            raise Refusal(f"{path}: images.{name} is {found!r}, HOST/REPOSITORY@sha256:… is expected. {THIRD_PARTY}")
    return ThirdPartyImages(path=path, references=references | dict(named))


def _third_party(document: Any) -> dict[str, str]:
    lock = _mapping(document, "the whole file")
    if lock["contract"] != CONTRACT:
        raise ValueError(f"key contract is {lock['contract']!r}, this program reads {CONTRACT}")
    return {name: str(found) for name, found in _mapping(lock["images"], "key images").items()}


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is {type(value).__name__}, a mapping is expected")
    return cast("dict[str, Any]", value)


def check_registry(
    lock: ImageLock,
    roles: Iterable[str],
    *,
    client: httpx.Client,
    warn: Callable[[str], object],
) -> None:
    """Ask the registry whether it has the digests that are about to be deployed.

    A registry that this machine cannot reach or that asks for a password is left to the cluster, with a
    warning.

    Args:
        lock: What should be there.
        roles: Which images are about to be deployed; references by digest are left to the cluster.
        client: HTTP client that trusts the registry's certificate authority.
        warn: Takes one sentence.

    Raises:
        Refusal: The registry answers that it does not have a digest.
    """
    # Docker's convention: a registry on the loopback address speaks HTTP, every other one HTTPS.
    scheme = "http" if lock.registry.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    for role in sorted(set(roles) & lock.digests.keys()):
        repository, digest = lock.digests[role]
        url = f"{scheme}://{lock.registry}/v2/{repository}/manifests/{digest}"
        try:
            response = client.head(url, headers={"Accept": MANIFEST_TYPES})
        except httpx.HTTPError as error:
            warn(f"registry {lock.registry} could not be asked for image {role}: {error}; not checked")
            return
        if response.status_code == NOT_FOUND:
            raise Refusal(
                f"image digest missing in the registry: {lock.reference(role)}, named by images.{role} of "
                f"{lock.path}. Build and push it again: {lock.build_command()} {role}"
            )
        if not response.is_success:
            warn(f"registry {lock.registry} answered {response.status_code} for image {role}; not checked")
            return


def registry_client(certificate_authority: Path | None) -> httpx.Client:
    """HTTP client for a registry.

    Args:
        certificate_authority: PEM file of a private authority; none means the system's.

    Raises:
        Refusal: The file cannot be read or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=certificate_authority)
    except OSError as error:
        raise Refusal(
            f"{certificate_authority}: not a readable PEM certificate: {error}. Set ROS2BENCH_REGISTRY_CA "
            "or ros2bench:spec.images.registryCa to the registry's certificate authority"
        ) from None
    return httpx.Client(verify=context, timeout=REGISTRY_TIMEOUT_S)

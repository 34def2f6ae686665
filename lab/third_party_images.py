"""Images of the programs of a platform that are not ours: one program on nothing but its shared libraries.

They lie in the lab's registry under `third-party/`; their digests are in a lock that `python -m lab env` exports as
ROS2BENCH_PLATFORM_IMAGES (docs/contracts.md, section 17). A tag names the content: what is there is not made again.
"""

import hashlib
import json
import re
import shutil
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.errors import LabError
from lab.folders import LabFolders
from lab.kubernetes import REPOSITORY as KUBERNETES_REPOSITORY
from lab.machine import write_atomically
from lab.network import LabNetwork
from lab.services import registry_address
from lab.system_images import MANIFESTS, push_context
from lab.toolchain.debian import PROGRAMS, Unpacked, find_libraries
from lab.toolchain.pins import Tool
from lab.toolchain.provide import Provided

REPOSITORY = "third-party"
USER = 65534
# Upstream's images have their programs here too, and the Prometheus Operator starts its reloader by this path.
PROGRAM_FOLDER = "bin"
CONTAINERFILE = "FROM scratch\nCOPY root/ /\nENV PATH=/{folder}\nUSER {user}:{user}\nENTRYPOINT [{program}]\n"


@dataclass(frozen=True)
class ThirdPartyImage:
    """A program and every file of its image: path in the image, without the first slash → file of this computer."""

    name: str
    version: str
    files: Mapping[str, Path]

    @property
    def program(self) -> str:
        """Path of the program in the image: its entry point."""
        return f"/{PROGRAM_FOLDER}/{self.name}"

    @property
    def containerfile(self) -> str:
        """How the image is made of the folder `root`."""
        return CONTAINERFILE.format(folder=PROGRAM_FOLDER, user=USER, program=json.dumps(self.program))

    @property
    def tag(self) -> str:
        """The version and a digest of everything that the image is made of."""
        content = hashlib.sha256(self.containerfile.encode())
        for place, file in sorted(self.files.items()):
            content.update(place.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', self.version)}-{content.hexdigest()[:12]}"


def built_images(provided: Iterable[Provided]) -> list[ThirdPartyImage]:
    """Return the images of programs built from Go modules; their binaries need no library."""
    return [
        ThirdPartyImage(image, one.tool.version, {f"{PROGRAM_FOLDER}/{image}": one.binary(binary)})
        for one in provided
        for image, binary in sorted(one.tool.images.items())
    ]


def packaged_images(
    unpacked: Mapping[str, Unpacked], libraries: Callable[[Path], tuple[Path, ...]] = find_libraries
) -> list[ThirdPartyImage]:
    """Return the images of the distribution's programs, each with its shared libraries where its loader looks.

    Raises:
        LabError: a package of another version lacks the files that its program reads.
    """
    images: list[ThirdPartyImage] = []
    for one in PROGRAMS:
        package = unpacked[one.package]
        program = package.folder / one.program
        files = {f"{PROGRAM_FOLDER}/{one.image}": program}
        files |= {str(path).lstrip("/"): path for path in libraries(program)}
        for folder in one.data:
            found = sorted(path for path in (package.folder / folder).rglob("*") if path.is_file())
            if not found:
                raise LabError(
                    f"Package {package.package} {package.version} has no files in /{folder}, which {one.image} reads.",
                    advice="Report this package; meanwhile name the image by digest in the platform's stack file.",
                )
            files |= {str(path.relative_to(package.folder)): path for path in found}
        images.append(ThirdPartyImage(one.image, package.version, files))
    return images


def write_context(image: ThirdPartyImage, context: Path) -> None:
    """Put the Containerfile and the image's files into a folder for the build."""
    for place, file in image.files.items():
        target = context / "root" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        target.chmod(0o755 if file.stat().st_mode & 0o111 else 0o644)
    (context / "Containerfile").write_text(image.containerfile)


def registry_client(folders: LabFolders, network: LabNetwork) -> httpx.Client:
    """Return a client of the lab's registry that checks its certificate."""
    context = ssl.create_default_context(cafile=str(folders.keys / "ca.crt"))
    address = f"https://{registry_address(network)}"
    return httpx.Client(verify=context, base_url=address, headers={"Accept": MANIFESTS})


def digest_of(client: httpx.Client, repository: str, tag: str) -> str | None:
    """Return the digest of an image as the registry has it, None if it has none.

    Raises:
        LabError: the registry cannot be reached, or answers with something else than an image or 404.
    """
    where = f"Image {repository}:{tag} of the lab's registry {client.base_url.netloc.decode()}"
    advice = "`python -m lab up` again goes on from here; `python -m lab status` shows whether the registry runs."
    try:
        answer = client.head(f"/v2/{repository}/manifests/{tag}")
    except httpx.HTTPError as error:
        raise LabError(f"{where} could not be asked for: {error}.", advice=advice) from error
    if answer.status_code == 404:
        return None
    digest = answer.headers.get("Docker-Content-Digest", "")
    if answer.status_code != 200 or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise LabError(f"{where}: the answer was {answer.status_code} with digest {digest!r}.", advice=advice)
    return digest


def push_images(
    folders: LabFolders,
    network: LabNetwork,
    images: Iterable[ThirdPartyImage],
    said: Callable[[str], None],
    client: httpx.Client,
) -> dict[str, str]:
    """Push the images that the registry lacks; return each one's reference by the registry's own digest."""
    references: dict[str, str] = {}
    registry = registry_address(network)
    for image in images:
        repository = f"{REPOSITORY}/{image.name}"
        tag = image.tag
        digest = digest_of(client, repository, tag)
        if digest is None:
            said(f"Making and pushing {image.name} {image.version}")
            push_context(
                folders,
                f"{registry}/{repository}:{tag}",
                lambda context, image=image: write_context(image, context),
                name=image.name,
            )
            digest = digest_of(client, repository, tag)
        if digest is None:
            raise LabError(
                f"Image {image.name} was pushed to {registry}, but the registry has no {repository}:{tag}.",
                advice="`python -m lab up` again goes on from here.",
            )
        references[image.name] = f"{registry}/{repository}@{digest}"
    return references


def lab_images(network: LabNetwork, client: httpx.Client, tools: Mapping[str, Tool]) -> dict[str, str]:
    """Return the references of what the lab runs itself and a platform may need on a cluster without it."""
    name = "metrics-server"
    repository = f"{KUBERNETES_REPOSITORY}/{name}"
    digest = digest_of(client, repository, f"v{tools[name].version}")
    return {name: f"{registry_address(network)}/{repository}@{digest}"} if digest else {}


def read_lock(folders: LabFolders, network: LabNetwork) -> dict[str, str]:
    """Return name → reference of the lab's lock; empty if there is none or it names another registry's images."""
    if not folders.platform_images_lock.exists():
        return {}
    images: dict[str, str] = json.loads(folders.platform_images_lock.read_text())["images"]
    registry = registry_address(network)
    return images if all(reference.startswith(f"{registry}/") for reference in images.values()) else {}


def write_lock(folders: LabFolders, network: LabNetwork, references: Mapping[str, str]) -> None:
    """Write the lock: what is new, and what an earlier `up` put into the same registry."""
    images = {**read_lock(folders, network), **references}
    write_atomically(folders.platform_images_lock, {"contract": 1, "images": dict(sorted(images.items()))})

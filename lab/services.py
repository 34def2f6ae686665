"""Registry and object store of a lab: their keys, their configuration, and the machine `hub` that runs them."""

import configparser
import json
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from lab.certificates import make_authority, make_server, write_private
from lab.folders import LabFolders
from lab.machines import MachineSpec, ServiceSpec
from lab.network import LabNetwork

REGISTRY_PORT = 5000
S3_PORT = 8333
BUCKET = "ros2bench"
REGION = "us-east-1"
LINKED = "/run/linked"  # written in the hub once its address exists: what binds to the address waits for it


def make_keys(folders: LabFolders, network: LabNetwork) -> None:
    """Make the registry's certificate and the store's keys, once; a certificate for another address is replaced."""
    keys, address = folders.keys, str(network.hub)
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    marker = keys / "registry.address"
    if not marker.exists() or marker.read_text() != address:
        server = make_server(make_authority(folders), ip_address=address)
        write_private(keys / "registry.key", server.key)
        (keys / "registry.crt").write_bytes(server.certificate)
        marker.write_text(address)
    if not (keys / "s3-credentials").exists():
        credentials = configparser.ConfigParser()
        credentials["default"] = {
            "aws_access_key_id": secrets.token_hex(10),
            "aws_secret_access_key": secrets.token_urlsafe(30),
        }
        scratch = keys / "s3-credentials.draft"
        write_private(scratch, "")
        with scratch.open("w") as file:
            credentials.write(file)
        scratch.rename(keys / "s3-credentials")
    write_private(keys / "aws-config", f"[default]\nregion = {REGION}\n")


def read_credentials(folders: LabFolders) -> tuple[str, str]:
    """Return the store's access key and secret key."""
    parser = configparser.ConfigParser()
    parser.read(folders.keys / "s3-credentials")
    section = parser["default"]
    return section["aws_access_key_id"], section["aws_secret_access_key"]


def registry_configuration(folders: LabFolders, network: LabNetwork) -> str:
    """Configuration of the CNCF distribution registry (its own reference: docs/content/about/configuration.md)."""
    document = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folders.root / "registry")},
            "delete": {"enabled": True},
        },
        "http": {
            "addr": f"{network.hub}:{REGISTRY_PORT}",
            "tls": {
                "certificate": str(folders.keys / "registry.crt"),
                "key": str(folders.keys / "registry.key"),
            },
        },
    }
    return json.dumps(document)  # JSON is YAML


def store_configuration(folders: LabFolders) -> str:
    """SeaweedFS identities: one administrator, whose keys never appear in a command line."""
    access, secret = read_credentials(folders)
    identity = {
        "name": "lab",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return json.dumps({"identities": [identity]})


def hub_machine(folders: LabFolders, network: LabNetwork, *, registry: Path, weed: Path) -> MachineSpec:
    """Return the machine that holds what outlives the cluster: images and objects."""
    objects = folders.root / "objects"
    for folder in (objects, folders.root / "registry"):
        folder.mkdir(parents=True, exist_ok=True)
    write_private(folders.keys / "registry.yaml", registry_configuration(folders, network))
    write_private(folders.keys / "s3-identities.json", store_configuration(folders))
    address = str(network.hub)
    return MachineSpec(
        name="hub",
        # SeaweedFS puts its sockets at fixed names in /tmp, where two labs' stores would take them from each other.
        overlays=("/tmp",),  # noqa: S108
        shared=(str(folders.root),),
        memory_folders=("/run",),
        services=(
            ServiceSpec(
                "registry",
                (str(registry), "serve", str(folders.keys / "registry.yaml")),
                environment={"OTEL_TRACES_EXPORTER": "none"},
                requires=(LINKED,),
            ),
            ServiceSpec(
                "object-store",
                (
                    str(weed),
                    "-logtostderr=true",
                    "mini",
                    f"-dir={objects}",
                    f"-ip={address}",
                    f"-ip.bind={address}",
                    f"-s3.port={S3_PORT}",
                    f"-s3.config={folders.keys / 's3-identities.json'}",
                    "-s3.autoCreateBucket=false",
                    "-master.telemetry=false",
                    "-webdav=false",
                    "-admin.ui=false",
                ),
                requires=(LINKED,),
            ),
        ),
    )


def registry_address(network: LabNetwork) -> str:
    """Host and port of the registry."""
    return f"{network.hub}:{REGISTRY_PORT}"


def store_endpoint(network: LabNetwork) -> str:
    """Address of the S3 endpoint."""
    return f"http://{network.hub}:{S3_PORT}"


def registry_answers(folders: LabFolders, network: LabNetwork) -> bool:
    """Whether the registry serves its API, its certificate checked."""
    context = ssl.create_default_context(cafile=str(folders.keys / "ca.crt"))
    try:
        with urllib.request.urlopen(f"https://{registry_address(network)}/v2/", timeout=2, context=context) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def store_answers(network: LabNetwork) -> bool:
    """Whether the object store answers at all; without keys it says 403."""
    try:
        with urllib.request.urlopen(store_endpoint(network), timeout=2):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False

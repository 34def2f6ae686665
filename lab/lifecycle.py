"""`lab up` and `lab down`: every step can be repeated; a lab cut off anywhere can be brought up or down."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

from lab import addons, cgroups, kubernetes, machines, network, packages, pulumi, services, system_images, third_party
from lab.certificates import make_authority
from lab.commands import run
from lab.console import Steps
from lab.errors import LabError
from lab.folders import PROJECT, LabFolders
from lab.machine import write_atomically
from lab.requirements import require_disk_for, require_fit
from lab.toolchain.pins import PlatformLevel, load_pins
from lab.toolchain.provide import Provided, provide

HUB_TOOLS = ("registry",)
CLUSTER_TOOLS = ("containerd", "kubernetes", "etcd", "coredns")
ADDON_TOOLS = ("metrics-server", "local-path-provisioner")
PULUMI_TOOLS = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")
AGAIN = "Type `python -m lab up` again: it goes on from here. `python -m lab doctor` checks this computer."


@dataclass(frozen=True)
class Lab:
    """A lab that is up: what `env` and `status` need."""

    folders: LabFolders
    network: network.LabNetwork
    cluster_uid: str
    tools: Mapping[str, Path]

    @property
    def is_complete(self) -> bool:
        """Whether the engine and its parts are there too, as the last step of `up` records."""
        return all(name in self.tools for name in PULUMI_TOOLS)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that `lab env` exports."""
        return pulumi.environment(self.folders, self.network, self.cluster_uid, self.tools)


@contextmanager
def locked(folders: LabFolders) -> Generator[None]:
    """Let one `up` or `down` of a lab run at a time; the kernel drops the lock with the process."""
    folders.root.mkdir(parents=True, exist_ok=True)
    with (folders.root / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                f"Another `lab up` or `lab down` of lab {folders.name} is running.",
                advice="Wait until it has ended.",
            ) from error
        yield


def chosen_network(folders: LabFolders, wanted: str | None) -> network.LabNetwork:
    """Return the lab's network: as chosen before, unless another is wanted or the host has come to route it."""
    taken = network.host_networks(network.link_name(folders.name))
    if folders.settings.exists() and wanted is None:
        before = network.parse_network(json.loads(folders.settings.read_text())["subnet"])
        if not any(n.overlaps(before.subnet) for n in taken):
            return before
    chosen = network.LabNetwork(network.choose_subnet(taken, wanted))
    write_atomically(folders.settings, {"subnet": str(chosen.subnet)})
    return chosen


def running_lab(folders: LabFolders) -> Lab | None:
    """Return the lab if all its machines run and it finished starting; None otherwise."""
    if not folders.cluster.exists() or any(machines.machine_state(folders, m) is None for m in machines.NAMES):
        return None
    record = json.loads(folders.cluster.read_text())
    tools = {name: Path(folder) for name, folder in record["tools"].items()}
    return Lab(folders, network.parse_network(record["subnet"]), record["uid"], tools)


def remove_machines(folders: LabFolders) -> None:
    """End every machine and remove what it left in the kernel and on disk; data stay."""
    for file in (folders.cluster, folders.kubeconfig):
        file.unlink(missing_ok=True)
    for name in reversed(machines.NAMES):
        machines.stop(folders, name)
    for folder in (folders.machines, system_images.scratch_folder(folders)):
        if folder.exists():
            shutil.rmtree(folder)
    network.unlink_host(folders.name)
    cgroups.remove_groups(folders.name)


def get_tools(folders: LabFolders, names: tuple[str, ...], steps: Steps) -> dict[str, Provided]:
    """Provide some of the pinned tools, one step each unless it is there already."""
    pins = load_pins()
    provided: dict[str, Provided] = {}
    for name in names:
        tool = pins.tools[name]
        if (folders.tools / name / tool.version / "receipt.json").exists():
            provided[name] = provide(tool, pins, folders, lambda _: None)
            continue
        with steps.step(f"Tool {name} {tool.version}") as said:
            provided[name] = provide(tool, pins, folders, said)
    return provided


def make_bucket(folders: LabFolders, net: network.LabNetwork) -> None:
    """Make the records' bucket if it is not there. The store may answer a moment before it can write."""
    access, secret = services.read_credentials(folders)
    retries = botocore.config.Config(retries={"mode": "standard", "max_attempts": 8}, region_name=services.REGION)
    client = boto3.client(
        "s3",
        endpoint_url=services.store_endpoint(net),
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=retries,
    )
    try:
        client.head_bucket(Bucket=services.BUCKET)
    except botocore.exceptions.ClientError:
        client.create_bucket(Bucket=services.BUCKET)


def start_hub(folders: LabFolders, net: network.LabNetwork, registry: Path) -> machines.MachineState:
    """Start registry and object store, and link the host to them."""
    weed = Path(sys.prefix) / "bin" / "weed"
    if not weed.exists():
        raise LabError("The object store's program `weed` is not in this environment.", advice="make setup")
    services.make_keys(folders, net)
    spec = services.hub_machine(folders, net, registry=registry, weed=weed)
    hub = machines.start(folders, spec)
    network.link_host(folders.name, net, hub.pid)
    run(network.inside(hub.pid, "touch", services.LINKED), doing="Starting registry and object store")
    logs = machines.folder_of(folders, "hub") / "logs"
    machines.wait_for(
        lambda: services.registry_answers(folders, net),
        what="The registry did not answer",
        timeout_s=30,
        advice=f"Its log: {logs}/registry.log",
    )
    machines.wait_for(
        lambda: services.store_answers(net),
        what="The object store did not answer",
        timeout_s=60,
        advice=f"Its log: {logs}/object-store.log",
    )
    make_bucket(folders, net)
    return hub


def start_cluster(
    folders: LabFolders,
    net: network.LabNetwork,
    hub: machines.MachineState,
    tools: Mapping[str, Path],
    steps: Steps,
) -> None:
    """Start both machines, make the control plane on one and join the other."""
    pause = f"{kubernetes.image_repository(net)}/pause:3.10.1"
    running: dict[str, machines.MachineState] = {}
    with steps.step("Starting machines cloud and edge"):
        for name in network.MACHINES:
            cgroups.make_groups(folders.name, name)
            running[name] = machines.start(
                folders, kubernetes.machine_spec(folders, net, name, tools=tools, pause_image=pause)
            )
            network.link_machine(name, net, hub.pid, running[name].pid)
        for name, machine in running.items():
            socket = Path(f"/proc/{machine.pid}/root/run/containerd/containerd.sock")
            machines.wait_for(socket.exists, what=f"containerd on {name} did not start", timeout_s=30, advice=AGAIN)
    pins = load_pins().tools
    configuration = kubernetes.cluster_configuration(
        net,
        version=pins["kubernetes"].version,
        coredns=pins["coredns"].version,
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        lab=folders.name,
    )
    with steps.step("Making the control plane (kubeadm init)"):
        kubernetes.initialise(folders, running["cloud"], tools=tools, configuration=configuration)
    with steps.step("Joining machine edge (kubeadm join)"):
        proxy = kubernetes.proxy_kubeconfig(running["cloud"], tools)
        kubernetes.write_inside(running["cloud"], "/etc/kubernetes/kube-proxy.conf", proxy)
        kubernetes.join(folders, net, running["cloud"], running["edge"], tools)
        kubernetes.write_inside(running["edge"], "/etc/kubernetes/kube-proxy.conf", proxy)
        machines.wait_for(
            lambda: kubernetes.ready_machines(folders, tools) >= set(network.MACHINES),
            what="The machines did not become Ready",
            timeout_s=90,
            advice=AGAIN,
            interval_s=0.5,
        )
        machines.wait_for(
            lambda: kubernetes.approve_serving_certificates(folders, tools),
            what="The kubelets asked for no serving certificates",
            timeout_s=60,
            advice=AGAIN,
            interval_s=0.5,
        )


def apply_addons(folders: LabFolders, net: network.LabNetwork, tools: Mapping[str, Path]) -> None:
    """Apply the add-ons and wait until CoreDNS and they are available."""
    versions = {name: tool.version for name, tool in load_pins().tools.items()}
    documents = addons.manifests(kubernetes.image_repository(net), versions, make_authority(folders))
    kubernetes.kubectl(
        folders, tools, "apply", "--server-side", "-f", "-", doing="Applying the add-ons", text_in=documents
    )
    # Both machines are one computer: a second copy takes a tenth of a core from experiments and makes nothing safer.
    kubernetes.kubectl(
        folders,
        tools,
        "-n",
        "kube-system",
        "scale",
        "deployment/coredns",
        "--replicas=1",
        doing="One CoreDNS is enough",
    )
    for space, name in (
        ("kube-system", "coredns"),
        ("kube-system", "metrics-server"),
        ("local-path-storage", "local-path-provisioner"),
    ):
        kubernetes.kubectl(
            folders,
            tools,
            "-n",
            space,
            "rollout",
            "status",
            f"deployment/{name}",
            "--timeout=80s",
            doing=f"Waiting for {name}",
        )


def build_images(lab: Lab, groups: Sequence[str]) -> None:
    """Build and push what is missing of groups of images; their own progress is shown."""
    command = [sys.executable, "-m", "images.build", *groups]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **lab.environment}, check=False)
    if done.returncode:
        raise LabError("The images were not built; the reason is above.", advice=AGAIN)


def up(
    folders: LabFolders, *, subnet: str | None, images: str | None, platform: PlatformLevel | None = None, steps: Steps
) -> Lab:
    """Bring the lab up, or finish bringing it up; return it.

    `images` is a group of images to build, or None; `platform` which third-party programs of a platform are provided,
    for which the platform's own images are built, too.
    """
    require_fit(folders)
    if platform:
        require_disk_for(folders, load_pins().of_platform(platform))
    with locked(folders):
        packages_missing = packages.missing_packages()
        if packages_missing:
            with steps.step(f"Installing {', '.join(packages_missing)}"):
                packages.install(packages_missing)
        lab = running_lab(folders)
        if lab and (not subnet or str(lab.network.subnet) == subnet) and kubernetes.ready_machines(folders, lab.tools):
            steps.console.print(f"Lab {folders.name} is up already.")
        else:
            lab = _start(folders, subnet, steps)
        lab = _prepare_pulumi(lab, steps)
        if platform:
            provided = get_tools(lab.folders, load_pins().of_platform(platform), steps)
            third_party.make_images(lab.folders, lab.network, provided, steps)
            third_party.make_resource_types(lab.folders, lab.tools, provided, steps)
        if images:
            build_images(lab, [images, *(["platform"] if platform else [])])
    return lab


def _start(folders: LabFolders, subnet: str | None, steps: Steps) -> Lab:
    provided = get_tools(folders, HUB_TOOLS + CLUSTER_TOOLS + ADDON_TOOLS, steps)
    tools = {name: tool.folder for name, tool in provided.items()}
    with steps.step("Clearing what an earlier start left"):
        remove_machines(folders)
    net = chosen_network(folders, subnet)
    with steps.step(f"Starting registry and object store on {net.subnet}"):
        hub = start_hub(folders, net, tools["registry"] / "registry")
    with steps.step("Images of the cluster's own programs") as said:
        versions = {name: tool.tool.version for name, tool in provided.items()}
        images = system_images.system_images(versions, tools)
        system_images.push_missing(folders, services.registry_address(net), images, said)
    start_cluster(folders, net, hub, tools, steps)
    with steps.step("Add-ons: DNS, resource metrics, volumes"):
        apply_addons(folders, net, tools)
    uid = kubernetes.cluster_uid(folders, tools)
    record = {
        "uid": uid,
        "subnet": str(net.subnet),
        "tools": {k: str(v) for k, v in tools.items()},
        "started_unix_s": int(time.time()),
    }
    write_atomically(folders.cluster, record)
    return Lab(folders, net, uid, tools)


def _prepare_pulumi(lab: Lab, steps: Steps) -> Lab:
    """Provide the engine, its host and its provider; make the stacks; return the whole lab."""
    provided = get_tools(lab.folders, PULUMI_TOOLS, steps)
    record = json.loads(lab.folders.cluster.read_text())
    record["tools"] |= {name: str(tool.folder) for name, tool in provided.items()}
    write_atomically(lab.folders.cluster, record)
    complete = running_lab(lab.folders)
    if complete is None:
        raise LabError("A machine of the lab ended while it was starting.", advice=AGAIN)
    with steps.step("Pulumi stacks"):
        provider = provided["pulumi-resource-kubernetes"]
        pulumi.install_provider(lab.folders, provider.tool, provider.binary("pulumi-resource-kubernetes"))
        if provided["pulumi"].origin != "PATH":
            pulumi.put_host_beside_engine(provided["pulumi"].folder, provided["pulumi-language-python"].folder)
        pulumi.make_passphrase(lab.folders)
        pulumi.initialise_stacks(
            lab.folders, complete.environment, provided["pulumi"].binary("pulumi"), lab.cluster_uid
        )
    return complete


def down(folders: LabFolders, *, purge: bool, steps: Steps) -> None:
    """Take the lab down; with `purge` remove its data too."""
    with locked(folders):
        with steps.step(f"Taking lab {folders.name} down"):
            remove_machines(folders)
        if purge:
            with steps.step("Removing its images, objects, keys and Pulumi state"):
                shutil.rmtree(folders.root)

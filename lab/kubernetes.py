"""Two machines of upstream Kubernetes by kubeadm: what runs on them, how they are initialised and joined."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from lab import cgroups
from lab.commands import run
from lab.errors import LabError
from lab.folders import LabFolders
from lab.machines import MachineSpec, MachineState, ServiceSpec, folder_of
from lab.network import POD_NETWORK, SERVICE_NETWORK, LabNetwork, inside
from lab.services import registry_address

ADMIN = "/etc/kubernetes/admin.conf"
REPOSITORY = "kubernetes"
CNI_PLUGINS = "/usr/lib/cni"
CAP_SYS_RESOURCE = 24
# The kubelet writes these, and they are global to the host: it finds them as it wants them, in plain files.
KUBELET_SETTINGS = {
    "/proc/sys/vm/overcommit_memory": "1\n",
    "/proc/sys/vm/panic_on_oom": "0\n",
    "/proc/sys/kernel/panic": "10\n",
    "/proc/sys/kernel/panic_on_oops": "1\n",
    "/proc/sys/kernel/keys/root_maxkeys": "1000000\n",
    "/proc/sys/kernel/keys/root_maxbytes": "25000000\n",
}


def image_repository(network: LabNetwork) -> str:
    """Where the control plane's images are."""
    return f"{registry_address(network)}/{REPOSITORY}"


def may_set_oom_score() -> bool:
    """Whether this process may lower OOM scores (CAP_SYS_RESOURCE), which containers otherwise may not either."""
    found = re.search(r"CapEff:\s+([0-9a-f]+)", Path("/proc/self/status").read_text())
    return bool(found and int(found[1], 16) >> CAP_SYS_RESOURCE & 1)


def search_path(tools: Mapping[str, Path]) -> str:
    """PATH on which a machine finds the cluster's programs before the host's own."""
    return f"{tools['containerd']}:{tools['kubernetes']}:{os.environ['PATH']}"


def containerd_configuration(pause_image: str) -> str:
    """Configuration of containerd 2 (its own reference: docs/cri/config.md)."""
    return f"""version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause_image}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = {"false" if may_set_oom_score() else "true"}
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{CNI_PLUGINS}"]
    conf_dir = "/etc/cni/net.d"
"""


def cni_configuration(network: LabNetwork, machine: str) -> str:
    """A bridge per machine without translation: pods see one another's own addresses, as DDS needs."""
    document = {
        "cniVersion": "1.0.0",
        "name": "ros2bench",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": str(network.pods(machine))}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/cni-addresses",
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    return json.dumps(document)


def machine_spec(
    folders: LabFolders, network: LabNetwork, name: str, *, tools: Mapping[str, Path], pause_image: str
) -> MachineSpec:
    """Return one Kubernetes machine: containerd, kubelet and kube-proxy, each started once its files exist."""
    address, registry = str(network.machine(name)), registry_address(network)
    path = search_path(tools)
    kubelet = (
        "kubelet",
        "--config=/var/lib/kubelet/config.yaml",
        "--kubeconfig=/etc/kubernetes/kubelet.conf",
        "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
        f"--hostname-override={name}",
        f"--node-ip={address}",
        f"--cgroup-root={cgroups.group_name(folders.name, name)}",
        f"--node-labels=ros2bench/machine={name}",
    )
    proxy = (
        "kube-proxy",
        "--kubeconfig=/etc/kubernetes/kube-proxy.conf",
        f"--hostname-override={name}",
        f"--cluster-cidr={POD_NETWORK}",
        "--proxy-mode=iptables",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        f"--metrics-bind-address={address}:10249",
        f"--healthz-bind-address={address}:10256",
    )
    hosts = f'server = "https://{registry}"\n[host."https://{registry}"]\n  ca = "/etc/containerd/certs.d/lab-ca.crt"\n'
    return MachineSpec(
        name=name,
        overlays=("/etc", "/var", "/opt"),
        folders=(
            "/var/lib/containerd",
            "/var/lib/kubelet",
            "/var/lib/etcd",
            "/var/lib/ros2bench-volumes",
            "/var/log/pods",
        ),
        memory_folders=("/run",),
        files={
            "/etc/hostname": f"{name}\n",
            "/etc/hosts": f"127.0.0.1 localhost\n{address} {name}\n",
            "/etc/resolv.conf": f"nameserver {network.hub}\n",
            "/etc/containerd/config.toml": containerd_configuration(pause_image),
            f"/etc/containerd/certs.d/{registry}/hosts.toml": hosts,
            "/etc/cni/net.d/10-ros2bench.conflist": cni_configuration(network, name),
            **KUBELET_SETTINGS,
        },
        copies={"/etc/containerd/certs.d/lab-ca.crt": str(folders.keys / "ca.crt")},
        services=(
            ServiceSpec("containerd", ("containerd", "--config", "/etc/containerd/config.toml"), {"PATH": path}),
            ServiceSpec(
                "kubelet",
                kubelet,
                {"PATH": path},
                ("/var/lib/kubelet/config.yaml", "/run/containerd/containerd.sock"),
            ),
            ServiceSpec("kube-proxy", proxy, {"PATH": path}, ("/etc/kubernetes/kube-proxy.conf",)),
        ),
    )


def reserved(cores: int, memory_bytes: int) -> dict[str, str]:
    """Return what a kubelet keeps back, so that two machines on one computer do not both promise all of it."""
    return {"cpu": f"{cores * 1000 // 2}m", "memory": str(memory_bytes // 2)}


def cluster_configuration(
    network: LabNetwork, *, version: str, coredns: str, cores: int, memory_bytes: int, lab: str
) -> str:
    """Return kubeadm's three documents (kubeadm.k8s.io/v1beta4, kubelet.config.k8s.io/v1beta1)."""
    gate = {"name": "feature-gates", "value": "ImageVolume=true"}
    address = str(network.machine("cloud"))
    documents = [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": address, "bindPort": 6443},
            "nodeRegistration": {"name": "cloud", "taints": [], "criSocket": "unix:///run/containerd/containerd.sock"},
            "skipPhases": ["preflight", "addon/kube-proxy", "show-join-command"],
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": f"v{version}",
            "clusterName": f"ros2bench-{lab}",
            "imageRepository": image_repository(network),
            "dns": {"imageTag": f"v{coredns}"},
            "networking": {"podSubnet": str(POD_NETWORK), "serviceSubnet": str(SERVICE_NETWORK)},
            "apiServer": {"extraArgs": [gate]},
            "controllerManager": {"extraArgs": [{"name": "allocate-node-cidrs", "value": "false"}]},
            # The lab's cluster is made anew by every `up`: it gains nothing from waiting for the disk.
            "etcd": {
                "local": {"dataDir": "/var/lib/etcd/data", "extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}]}
            },
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "failSwapOn": False,
            "failCgroupV1": False,
            "serializeImagePulls": False,
            "serverTLSBootstrap": True,
            "featureGates": {"ImageVolume": True},
            "systemReserved": reserved(cores, memory_bytes),
            "evictionHard": {"memory.available": "200Mi", "nodefs.available": "2%", "imagefs.available": "2%"},
            "imageGCHighThresholdPercent": 99,
            "imageGCLowThresholdPercent": 98,
            "shutdownGracePeriod": "0s",
        },
    ]
    return yaml.safe_dump_all(documents, sort_keys=False)


def initialise(
    folders: LabFolders,
    cloud: MachineState,
    *,
    tools: Mapping[str, Path],
    configuration: str,
) -> None:
    """Make the control plane on `cloud` and write the administrator's kubeconfig."""
    advice = f"The kubelet's log: {folder_of(folders, 'cloud')}/logs/kubelet.log. Then `python -m lab up` again."
    path = f"PATH={search_path(tools)}"
    log = folders.root / "logs" / "kubeadm-init.log"
    run(
        inside(cloud.pid, "sh", "-c", "cat > /etc/kubernetes-init.yaml"),
        doing="Writing kubeadm's configuration",
        text_in=configuration,
    )
    run(
        inside(cloud.pid, "env", path, "kubeadm", "init", "--config", "/etc/kubernetes-init.yaml"),
        doing="Making the control plane",
        advice=advice,
        log=log,
        timeout_s=240,
    )
    folders.kubeconfig.unlink(missing_ok=True)
    admin = run(inside(cloud.pid, "cat", ADMIN), doing="Reading the administrator's kubeconfig")
    folders.kubeconfig.touch(mode=0o600)
    folders.kubeconfig.write_text(admin)


def proxy_kubeconfig(cloud: MachineState, tools: Mapping[str, Path]) -> str:
    """Return a kubeconfig for kube-proxy: user system:kube-proxy, bound to its role by Kubernetes itself."""
    return run(
        inside(
            cloud.pid,
            str(tools["kubernetes"] / "kubeadm"),
            "kubeconfig",
            "user",
            "--client-name",
            "system:kube-proxy",
            "--config",
            "/etc/kubernetes-init.yaml",
        ),
        doing="Making kube-proxy's kubeconfig",
    )


def write_inside(machine: MachineState, path: str, content: str) -> None:
    """Write a private file in a machine's file system."""
    run(
        inside(machine.pid, "sh", "-c", f"umask 077; cat > {path}.new && mv {path}.new {path}"),
        doing=f"Writing {path}",
        text_in=content,
    )


def join(
    folders: LabFolders,
    network: LabNetwork,
    cloud: MachineState,
    edge: MachineState,
    tools: Mapping[str, Path],
) -> None:
    """Join `edge`: token and certificate hash come from `cloud`."""
    kubeadm, path = (
        str(tools["kubernetes"] / "kubeadm"),
        f"PATH={search_path(tools)}",
    )
    made = run(
        inside(cloud.pid, kubeadm, "token", "create", "--print-join-command", "--kubeconfig", ADMIN),
        doing="Making a join token",
    )
    words = made.split()
    token, certificate = (
        words[words.index("--token") + 1],
        words[words.index("--discovery-token-ca-cert-hash") + 1],
    )
    document = yaml.safe_dump(
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "token": token,
                    "caCertHashes": [certificate],
                    "apiServerEndpoint": f"{network.machine('cloud')}:6443",
                }
            },
            "nodeRegistration": {"name": "edge", "taints": [], "criSocket": "unix:///run/containerd/containerd.sock"},
            "skipPhases": ["preflight"],
        }
    )
    write_inside(edge, "/etc/kubernetes-join.yaml", document)
    run(
        inside(edge.pid, "env", path, "kubeadm", "join", "--config", "/etc/kubernetes-join.yaml"),
        doing="Joining machine edge",
        advice=f"The kubelet's log: {folder_of(folders, 'edge')}/logs/kubelet.log. Then `python -m lab up` again.",
        log=folders.root / "logs" / "kubeadm-join.log",
        timeout_s=180,
    )


def kubectl(folders: LabFolders, tools: Mapping[str, Path], *words: str, doing: str, text_in: str | None = None) -> str:
    """Run kubectl against the lab's cluster from the host."""
    command = [tools["kubernetes"] / "kubectl", "--kubeconfig", folders.kubeconfig, *words]
    return run(command, doing=doing, text_in=text_in, timeout_s=90)


def approve_serving_certificates(folders: LabFolders, tools: Mapping[str, Path]) -> bool:
    """Approve the kubelets' requests for serving certificates; return whether both machines have one.

    The lab knows both machines: it made them. metrics-server can then check their certificates.
    """
    text = kubectl(folders, tools, "get", "csr", "-o", "json", doing="Reading certificate requests")
    wanted = [c for c in json.loads(text)["items"] if c["spec"]["signerName"] == "kubernetes.io/kubelet-serving"]
    waiting = [c["metadata"]["name"] for c in wanted if not c.get("status", {}).get("conditions")]
    if waiting:
        kubectl(folders, tools, "certificate", "approve", *waiting, doing="Approving the kubelets' certificates")
    issued = {c["spec"]["username"] for c in wanted if c.get("status", {}).get("certificate")}
    return issued >= {"system:node:cloud", "system:node:edge"}


def ready_machines(folders: LabFolders, tools: Mapping[str, Path]) -> set[str]:
    """Return the machines whose kubelets report Ready; none while the API server does not answer."""
    try:
        text = kubectl(folders, tools, "get", "nodes", "-o", "json", doing="Reading the machines' state")
    except LabError:
        return set()
    ready: set[str] = set()
    for node in json.loads(text)["items"]:
        if any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]):
            ready.add(node["metadata"]["name"])
    return ready


def cluster_uid(folders: LabFolders, tools: Mapping[str, Path]) -> str:
    """Return the UID of kube-system: the cluster's identity."""
    return kubectl(
        folders,
        tools,
        "get",
        "namespace",
        "kube-system",
        "-o",
        "jsonpath={.metadata.uid}",
        doing="Reading the cluster's identity",
    ).strip()

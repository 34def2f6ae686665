"""Trees of control groups and of /proc as kernels show them, written for tests."""

from collections.abc import Mapping
from pathlib import Path

UID = "15cf4b66-25b8-488a-8ef2-a78abab6f1ce"
OTHER_UID = "31131c3b-4bee-8672-dc48-13bd2fe59259"
ID = "ada3" * 16
OTHER_ID = "c8d1" * 16
CGROUPFS = f"kubepods/burstable/pod{UID}/{ID}"
SYSTEMD = (
    "kubepods.slice/kubepods-burstable.slice/"
    f"kubepods-burstable-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope"
)
V1_FILES: Mapping[str, Mapping[str, str]] = {
    "cpuacct": {"cpuacct.usage": "20669897\n", "cgroup.procs": "11\n0\n12\n"},
    "cpu": {"cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 4000000\n"},
    "memory": {
        "memory.usage_in_bytes": "10000000\n",
        "memory.max_usage_in_bytes": "12000000\n",
        "memory.stat": "cache 1\ninactive_file 5\ntotal_inactive_file 4000000\n",
    },
    "blkio": {
        "blkio.throttle.io_service_bytes_recursive": (
            "7:0 Read 999\n254:0 Read 4096\n254:0 Write 512\n254:0 Total 4608\nTotal 5607\n"
        )
    },
}
V2_FILES: Mapping[str, str] = {
    "cpu.stat": "usage_usec 20669\nuser_usec 1\nnr_periods 10\nnr_throttled 3\nthrottled_usec 4000\n",
    "memory.current": "10000000\n",
    "memory.peak": "12000000\n",
    "memory.stat": "anon 1\nfile 2\ninactive_file 4000000\n",
    "io.stat": "7:0 rbytes=999 wbytes=9\n254:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0\n",
    "cgroup.procs": "11\n0\n12\n",
}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def v1(root: Path, group: str = CGROUPFS, *, joined: bool = False) -> Path:
    """A v1 tree with one container; `joined` has cpu and cpuacct in one hierarchy, as systemd mounts them."""
    for controller, files in V1_FILES.items():
        name = "cpu,cpuacct" if joined and controller in ("cpu", "cpuacct") else controller
        write(root / name / group, files)
    write(root / "systemd" / group, {"cgroup.procs": "11\n"})
    return root


def v2(root: Path, group: str = SYSTEMD) -> Path:
    """A v2 tree with one container."""
    write(root, {"cgroup.controllers": "cpuset cpu io memory pids\n"})
    write(root / group, V2_FILES)
    return root


def hybrid(root: Path, group: str = CGROUPFS, *, moved: str = "") -> Path:
    """A v1 tree beside a unified hierarchy; `moved` names what only the unified one has."""
    v1(root, group)
    if moved:
        (root / "memory").rename(root.parent / "unmounted-memory")
    write(root / "unified", {"cgroup.controllers": f"{moved}\n"})
    write(root / "unified" / group, V2_FILES if moved else {"cgroup.procs": "11\n"})
    return root


def proc(
    root: Path, pid: int, *, command: str = "python3", arguments: str = "", ticks: tuple[int, int] = (70, 30)
) -> Path:
    """A process: `ticks` in user and in kernel mode, 1000 resident pages."""
    user, kernel = ticks
    fields = f"S 1 2 3 4 5 6 7 8 9 10 {user} {kernel} 0 0 20 0 5 0 100 9999 1000 18446744073709551615"
    write(root / str(pid), {"stat": f"{pid} ({command}) {fields}\n", "cmdline": arguments})
    return root


def machine(root: Path) -> tuple[Path, Path]:
    """A machine's /proc and /sys: one disk, one network card, and things that are neither."""
    proc_root, sys_root = root / "proc", root / "sys"
    write(
        proc_root,
        {
            "stat": "cpu  100 10 40 800 20 5 5 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n",
            "meminfo": "MemTotal:       100 kB\nMemAvailable:    60 kB\n",
            "diskstats": (
                "   7       0 loop0 1 0 100 0 1 0 100 0 0 0 0\n"
                " 254       0 vda 5 0 10 0 6 0 20 0 0 0 0\n"
                " 254       1 vda1 5 0 10 0 6 0 20 0 0 0 0\n"
            ),
            "loadavg": "1.62 1.0 0.5 2/300 4000\n",
        },
    )
    write(
        proc_root / "1" / "net",
        {
            "dev": (
                "Inter-|   Receive |  Transmit\n face |bytes packets |bytes packets\n"
                "    lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n"
                "  eth0: 1000 1 0 0 0 0 0 0 3000 1 0 0 0 0 0 0\n"
                " veth1: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
            ),
            "route": ("Iface\tDestination\tGateway\nveth1\t00000000\t010200C0\neth0\t000200C0\t00000000\n"),
        },
    )
    write(sys_root / "block" / "vda" / "device", {})
    write(sys_root / "block" / "vda", {"dev": "254:0\n"})
    write(sys_root / "block" / "loop0", {"dev": "7:0\n"})
    write(sys_root / "class" / "net" / "eth0" / "device", {})
    write(sys_root / "class" / "net" / "veth1", {})
    return proc_root, sys_root

"""What runs in a lab, for people as a table and for programs as JSON."""

from typing import Any

from rich.console import Console
from rich.table import Table

from lab.folders import LabFolders
from lab.lifecycle import Lab
from lab.machines import NAMES, machine_state
from lab.services import registry_address, store_endpoint


def state_document(folders: LabFolders, lab: Lab | None) -> dict[str, Any]:
    """Return machines, services and addresses of a lab; `lab` is None when it is not up."""
    states = {name: machine_state(folders, name) for name in NAMES}
    return {
        "name": folders.name,
        "up": lab is not None and lab.is_complete,
        "machines": {m: None if s is None else {"pid": s.pid, "services": dict(s.services)} for m, s in states.items()},
        "registry": registry_address(lab.network) if lab else None,
        "records": store_endpoint(lab.network) if lab else None,
        "cluster_uid": lab.cluster_uid if lab else None,
    }


def show_state(folders: LabFolders, lab: Lab | None) -> None:
    """Print the machines of a lab and where its registry and store are."""
    table = Table("machine", "process", "services")
    for name in NAMES:
        state = machine_state(folders, name)
        services = state.services if state else {}
        words = [service if facts["running"] else f"{service} (not running)" for service, facts in services.items()]
        table.add_row(name, str(state.pid) if state else "–", ", ".join(words) or "–")
    console = Console()
    console.print(table)
    if lab:
        console.print(f"registry {registry_address(lab.network)} · records {store_endpoint(lab.network)}")

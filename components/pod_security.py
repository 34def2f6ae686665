"""Pod Security Standard "restricted" on security contexts, as sentences; the cluster's own admission is the second one.

Stricter than the standard in two things: a user is named, and the root file system is read-only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Context = Mapping[str, Any]

CONFINED = ("RuntimeDefault", "Localhost")


def of_pod(context: Context) -> Iterator[str]:
    """What is wrong with the security context of a pod."""
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "securityContext does not name a user that is not root"
    if context.get("seccompProfile", {}).get("type") not in CONFINED:
        yield "securityContext.seccompProfile is neither RuntimeDefault nor Localhost"
    if context.get("sysctls"):
        yield "securityContext.sysctls changes the kernel of the machine"
    yield from _of_both(context)


def of_container(context: Context) -> Iterator[str]:
    """What is wrong with the security context of a container; what it leaves out is the pod's."""
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "privileges can be raised"
    if context.get("runAsNonRoot") is False or context.get("runAsUser") == 0:
        yield "runs as root"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "root file system is writable"
    if context.get("procMount", "Default") != "Default":
        yield "procMount is not Default"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in CONFINED:
        yield "seccompProfile is neither RuntimeDefault nor Localhost"
    capabilities: Context = context.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "capabilities are not all dropped"
    yield from _of_both(context)


def _of_both(context: Context) -> Iterator[str]:
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in CONFINED:
        yield "appArmorProfile is neither RuntimeDefault nor Localhost"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "windowsOptions.hostProcess is set"
    if {"user", "role"} & set(context.get("seLinuxOptions", {})):
        yield "seLinuxOptions names a user or a role"

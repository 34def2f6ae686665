"""Temporary files of a process that talks to a cluster, which end with it.

The API client writes the kubeconfig's certificates and private key into files of their own and leaves them behind
(kr8s 0.20.15 `_auth.py`: `NamedTemporaryFile(delete=False)`); the Pulumi Kubernetes provider leaves a copy of the
kubeconfig.
"""

import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

VARIABLE = "TMPDIR"


@cache
def private_folder() -> Path:
    """Folder that only this user can read, and that is removed when the process ends, also by Ctrl-C.

    From the first call on it is where this process makes its temporary files.
    """
    made = tempfile.TemporaryDirectory(prefix="ros2bench-", ignore_cleanup_errors=True)
    _kept.append(made)
    tempfile.tempdir = made.name
    return Path(made.name)


def private_environment() -> Mapping[str, str]:
    """Environment of a program whose temporary files shall end with this process, whether it removes them or not."""
    return {**os.environ, VARIABLE: str(private_folder())}


_kept = list[tempfile.TemporaryDirectory[str]]()
"""Removed when they are collected, which is at the end of the process."""

"""Prometheus and promtool of this machine, or of the distribution's package, as the lab gets it."""

import shutil
from functools import cache
from pathlib import Path

from lab.folders import LabFolders, cache_folder, data_folder
from lab.toolchain.debian import provide_package


@cache
def find_program(name: str) -> Path:
    """Give the path of `prometheus` or `promtool`: on PATH, else unpacked into the lab's cache.

    Raises:
        LabError: The package cannot be had.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    folders = LabFolders("tests", data_folder(), cache_folder())
    return provide_package("prometheus", folders, print).folder / "usr" / "bin" / name

"""Which block devices are hardware: a byte that passes through several layers is counted once."""

from collections.abc import Mapping
from pathlib import Path


def physical_devices(sys_root: Path) -> Mapping[str, str]:
    """Names of whole disks that are hardware, by `major:minor`; no partitions, loops or mappers.

    Args:
        sys_root: the machine's /sys.
    """
    found = {}
    for device in sorted((sys_root / 'block').glob('*/device')):
        try:
            number = (device.parent / 'dev').read_text(encoding='ascii').strip()
        except (OSError, ValueError):
            continue
        found[number] = device.parent.name
    return found

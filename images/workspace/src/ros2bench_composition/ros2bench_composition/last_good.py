"""The set of components that last ran well, for the restart of a crashed container."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ros2bench_composition.component import Component, parse_component
from ros2bench_composition.refusal import Refusal

CONTRACT = 1
DEFAULT = Path('/tmp/ros2bench/last-good.json')  # noqa: S108 (the pod's own emptyDir)


class LastGood:
    """Keeps a set of components in a file.

    What is read from it is checked like any request: the file may name only what may be loaded.
    """

    def __init__(self, path: Path, composition_sha256: str) -> None:
        """Use a file.

        Args:
            path: the file; its folder is made.
            composition_sha256: digest of the configuration; a set of another one is not used.
        """
        self._path = path
        self._composition = composition_sha256

    def save(self, components: Sequence[Component]) -> None:
        """Replace the set."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            'contract': CONTRACT,
            'composition': self._composition,
            'components': [component.content() for component in components],
        }
        new = self._path.with_suffix('.new')
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, 'w', encoding='utf-8') as file:  # noqa: PTH123 (a descriptor)
            json.dump(content, file)
        new.replace(self._path)

    def read(self) -> tuple[Component, ...] | None:
        """The set; None where there is none for this configuration.

        Raises:
            Refusal: `last_good`: the file is damaged.
        """
        try:
            content = json.loads(self._path.read_text(encoding='utf-8'))
            if content['contract'] != CONTRACT or content['composition'] != self._composition:
                return None
            items = content['components']
            return tuple(parse_component(item, f'[{index}]') for index, item in enumerate(items))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, Refusal) as error:
            raise Refusal('last_good', f'{self._path} cannot be used: {error!r}.') from error

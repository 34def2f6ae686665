"""Which classes may be loaded, from which files. Needs no ROS."""

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ros2bench_composition.component import Component
from ros2bench_composition.parameter_types import TYPES
from ros2bench_composition.refusal import Refusal
from ros2bench_composition.trusted_file import read_trusted

CONTRACT = 1
SHA256 = re.compile(r'[0-9a-f]{64}')
Schema = Mapping[str, str] | None


@dataclass(frozen=True)
class ListedModule:
    """A module that may be imported: its file, the digest of its content, whether a package."""

    path: str
    sha256: str
    is_package: bool


@dataclass(frozen=True)
class Manifest:
    """What the image build listed and the operator signed.

    Attributes:
        schemas: parameter types by (package, plugin); None means any scalars.
        modules: every module below a listed package that may be imported, by its name.
        roots: top-level packages that are guarded.
        sha256: digest of the manifest itself, for the audit.
    """

    schemas: Mapping[tuple[str, str], Schema]
    modules: Mapping[str, ListedModule]
    roots: frozenset[str]
    sha256: str

    def schema(self, component: Component) -> Schema:
        """Parameter types of a component.

        Raises:
            Refusal: `unlisted`.
        """
        key = (component.package, component.plugin)
        if key not in self.schemas:
            choices = ', '.join(sorted(plugin for _, plugin in self.schemas)) or 'none'
            raise Refusal(
                'unlisted',
                f'{component.plugin} of package {component.package} is not in the manifest of this '
                f'image; choices: {choices}.',
            )
        return self.schemas[key]

    def content(self, name: str, read: Callable[[str], bytes] = read_trusted) -> bytes:
        """The bytes of a listed module, compared with the manifest.

        Raises:
            Refusal: `unlisted_module`, `altered`, or what `read_trusted` refuses.
        """
        listed = self.modules.get(name)
        if listed is None:
            raise Refusal('unlisted_module', f'The module {name} is not in the manifest.')
        content = read(listed.path)
        found = hashlib.sha256(content).hexdigest()
        if found != listed.sha256:
            raise Refusal(
                'altered',
                f'{listed.path} has SHA-256 {found} but the manifest lists {listed.sha256}.',
            )
        return content


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest whose signature has been checked.

    Raises:
        Refusal: `manifest`.
    """
    try:
        document = json.loads(content)
    except ValueError as error:
        raise _broken(f'it is no JSON: {error}') from error
    if not isinstance(document, dict) or document.keys() != {'contract', 'components', 'files'}:
        raise _broken('it must hold exactly contract, components and files')
    if document['contract'] != CONTRACT:
        raise _broken(f'contract is {document["contract"]!r} but this image speaks {CONTRACT}')
    files = document['files']
    if not isinstance(files, dict) or not all(map(_is_file, files.items())):
        raise _broken('files must map absolute paths *.py to SHA-256')
    if not isinstance(document['components'], list):
        raise _broken('components must be a list')
    schemas = dict(map(_component, document['components']))
    roots = frozenset(plugin.partition('.')[0] for _, plugin in schemas)
    modules: dict[str, ListedModule] = {}
    for root in sorted(roots):
        modules.update(_modules(root, files))
    missing = [plugin for _, plugin in schemas if plugin.rpartition('.')[0] not in modules]
    if missing:
        raise _broken(f'files lacks the modules of {missing}')
    return Manifest(schemas, modules, roots, hashlib.sha256(content).hexdigest())


def _component(item: Any) -> tuple[tuple[str, str], Schema]:
    if not isinstance(item, dict) or item.keys() != {'package', 'plugin', 'parameters'}:
        raise _broken('each component must have package, plugin and parameters')
    package, plugin, parameters = item['package'], item['plugin'], item['parameters']
    if not isinstance(package, str) or not isinstance(plugin, str) or '.' not in plugin:
        raise _broken(f'{item!r} does not name a package and a class')
    right = parameters is None or (
        isinstance(parameters, dict) and all(kind in TYPES for kind in parameters.values())
    )
    if not right:
        raise _broken(f'parameters of {plugin} must be null or map names to {", ".join(TYPES)}')
    return (package, plugin), parameters


def _is_file(entry: tuple[str, Any]) -> bool:
    path, digest = entry
    is_path = path.startswith('/') and path.endswith('.py') and posixpath.normpath(path) == path
    return is_path and isinstance(digest, str) and bool(SHA256.fullmatch(digest))


def _modules(root: str, files: Mapping[str, str]) -> dict[str, ListedModule]:
    """Modules of one top-level package: its folder is the outermost one that is listed."""
    starts = [path for path in files if path.endswith(f'/{root}/__init__.py')]
    if not starts:
        raise _broken(f'files lacks the package {root}')
    folder = posixpath.dirname(min(starts, key=lambda path: (len(path), path)))
    modules = {}
    for path, digest in files.items():
        if path.startswith(f'{folder}/'):
            is_package = path.endswith('/__init__.py')
            inner = path[len(folder) :].removesuffix('/__init__.py').removesuffix('.py')
            modules[root + inner.replace('/', '.')] = ListedModule(path, digest, is_package)
    return modules


def _broken(what: str) -> Refusal:
    return Refusal(
        'manifest', f'The manifest cannot be used: {what}. Build the image with this version.'
    )

"""Imports modules of listed packages from the very bytes that were compared with the manifest."""

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from ros2bench_composition.manifest import Manifest
from ros2bench_composition.refusal import ModuleRefused, Refusal
from ros2bench_composition.trusted_file import read_trusted


class CheckedLoader(importlib.abc.Loader):
    """Runs a module that has been read and checked; the file is not opened again."""

    def __init__(self, code: CodeType, source: bytes) -> None:
        self._code = code
        self._source = source

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        exec(self._code, module.__dict__)  # noqa: S102 (what a loader is for)

    def get_source(self, name: str) -> str:  # noqa: ARG002 (asked for by tracebacks)
        """Source for tracebacks."""
        return self._source.decode()


class Guard(importlib.abc.MetaPathFinder):
    """The only way to a module below a listed package."""

    def __init__(self, manifest: Manifest, read: Callable[[str], bytes] = read_trusted) -> None:
        self._manifest = manifest
        self._read = read

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 (the manifest says where)
        target: ModuleType | None = None,  # noqa: ARG002 (as above)
    ) -> ModuleSpec | None:
        """Find a module; None for those of other packages.

        Raises:
            ModuleRefused: the module is not listed, or its file is not as it was listed.
        """
        if fullname.partition('.')[0] not in self._manifest.roots:
            return None
        try:
            source = self._manifest.content(fullname, self._read)
        except Refusal as refusal:
            raise ModuleRefused(refusal) from refusal
        listed = self._manifest.modules[fullname]
        code = compile(source, listed.path, 'exec', dont_inherit=True)
        return importlib.util.spec_from_file_location(
            fullname,
            listed.path,
            loader=CheckedLoader(code, source),
            submodule_search_locations=[listed.path.rpartition('/')[0]]
            if listed.is_package
            else None,
        )


def install(manifest: Manifest, read: Callable[[str], bytes] = read_trusted) -> Guard:
    """Guard the listed packages from now on.

    Raises:
        Refusal: `imported_before`: one of them is already imported, unchecked.
    """
    early = sorted(name for name in sys.modules if name.partition('.')[0] in manifest.roots)
    if early:
        raise Refusal('imported_before', f'{early} were imported before they could be checked.')
    guard = Guard(manifest, read)
    sys.meta_path.insert(0, guard)
    return guard

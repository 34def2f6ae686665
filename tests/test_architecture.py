"""The tree keeps its shape: arrows, one program, every test collected."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parent.parent
PROGRAM_LINES = 25
TESTS = Path(__file__).parent


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    code = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_program_is_short() -> None:
    assert len((ROOT / "__main__.py").read_text(encoding="utf-8").splitlines()) <= PROGRAM_LINES


def test_plain_data_is_read_without_the_engine() -> None:
    modules = "stacks.outputs, stacks.spec, stacks.reading, components.dashboards.queries"
    code = f"import sys, {modules}; print([name for name in sys.modules if name.startswith('pulumi')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "[]\n"


def test_no_stack_file_is_kept_with_the_salt_of_one_users_passphrase() -> None:
    words = ["git", "grep", "--files-with-matches", "^encryptionsalt", "HEAD", "--", "*Pulumi.*.yaml"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr


def test_every_file_with_tests_is_collected() -> None:
    holding = re.compile(r"^(async )?def test_|^class Test", re.MULTILINE)
    stray = [
        str(path.relative_to(ROOT))
        for path in TESTS.rglob("*.py")
        if not path.name.startswith("test_") and holding.search(path.read_text(encoding="utf-8"))
    ]
    assert stray == [], "pytest collects files named test_*.py only"


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in TESTS.rglob("*.py")}
    assert [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_every_pattern_is_one_module_of_its_folder() -> None:
    folder = ROOT / "components" / "patterns"
    assert [path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"] == []


def test_constructors_of_components_are_short() -> None:
    for path in (ROOT / "components").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for body in re.findall(r"    def __init__\(.*?(?=\n    def |\n\S|\Z)", text, re.DOTALL):
            assert len(body.splitlines()) < 60, f"{path.relative_to(ROOT)}: move what is pure out of the constructor"

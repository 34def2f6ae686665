"""Images of a changed application: the patches fit, the change is in a copy, and the usual lock is left alone."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from images import build
from images.errors import BuildError
from images.lock import read_lock, write_lock
from images.roles import IMAGES
from images.variant import changed_sources, variant_lock
from tests.images.test_inputs_and_lock import lock_of

ROOT = IMAGES.parent
STAMP = "00000000000000a1"
DETECTOR = "workspace/src/ros2bench_nodes/ros2bench_nodes/detector.py"


def test_the_code_patch_changes_one_line_of_one_node(tmp_path: Path) -> None:
    copy = changed_sources(ROOT / "updates" / "perception" / "code.patch", STAMP, tmp_path)
    before, after = (IMAGES / DETECTOR).read_text(), (copy / DETECTOR).read_text()
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert changed == [f"REVISION = '{STAMP}'"]
    others = [file for file in copy.rglob("*") if file.is_file() and file != copy / DETECTOR]
    assert others
    assert all(file.read_bytes() == (IMAGES / file.relative_to(copy)).read_bytes() for file in others)


def test_the_model_patch_appends_an_entry_of_metadata_to_the_detectors_model(tmp_path: Path) -> None:
    copy = changed_sources(ROOT / "updates" / "perception" / "model.patch", STAMP, tmp_path)
    text = (copy / "Containerfile").read_text()
    (command,) = [line for line in text.splitlines() if STAMP in line]
    escaped = command.partition("printf '")[2].partition("'")[0]
    entry = escaped.encode().decode("unicode_escape").encode("latin-1")
    # ModelProto.metadata_props (field 14) of 28 bytes: key (field 1) and value (field 2).
    assert entry == b"r\x1c" + b"\n\x08revision" + b"\x12\x10" + STAMP.encode()
    assert command.endswith(">> /models/detection.onnx")
    assert text.count("COPY --from=changed-models /models") == 2
    assert "COPY --from=assets /models/recognition.onnx" in text


def test_a_patch_that_does_not_fit_or_is_none_is_named(tmp_path: Path) -> None:
    patch = tmp_path / "old.patch"
    patch.write_text("--- a/images/Containerfile\n+++ b/images/Containerfile\n@@ -1 +1 @@\n-not there\n+x\n")
    with pytest.raises(BuildError, match=r"old\.patch: does not fit this checkout"):
        changed_sources(patch, STAMP, tmp_path)
    with pytest.raises(BuildError, match="cannot be read"):
        changed_sources(tmp_path / "none.patch", STAMP, tmp_path)


@pytest.mark.parametrize("stamp", ["", "a1", "00000000000000A1", "$(reboot)00000000"])
def test_a_stamp_that_is_none_is_refused(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(BuildError, match="16 hexadecimal digits"):
        changed_sources(ROOT / "updates" / "perception" / "code.patch", stamp, tmp_path)


def test_a_patch_reaches_its_copy_in_somebodys_repository_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "below").mkdir()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    copy = changed_sources(ROOT / "updates" / "perception" / "code.patch", STAMP, tmp_path / "below")
    assert STAMP in (copy / DETECTOR).read_text()


def test_the_variant_s_lock_begins_as_a_copy_of_the_usual_one(tmp_path: Path) -> None:
    usual, variant = tmp_path / "usual.json", tmp_path / "variant.json"
    with pytest.raises(BuildError, match="There is no lock"):
        variant_lock(usual, variant)
    write_lock(usual, lock_of())
    assert variant_lock(usual, variant) == read_lock(variant) == lock_of()
    with pytest.raises(BuildError, match="is the usual lock"):
        variant_lock(usual, usual)


def test_patch_and_variant_lock_belong_together() -> None:
    done = CliRunner().invoke(build.application, ["--registry", "h:1", "--patch", "x.patch"])
    assert done.exit_code == 2
    assert "belong together" in done.output

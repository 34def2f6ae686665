"""Where a lab keeps things, and which names it can have."""

from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.folders import lab_folders


def test_data_and_cache_follow_the_xdg_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders = lab_folders("demo")
    assert folders.root == tmp_path / "data" / "ros2bench" / "labs" / "demo"
    assert folders.tools == tmp_path / "cache" / "ros2bench" / "tools"


def test_two_labs_share_no_file_but_the_passphrase() -> None:
    one, two = lab_folders("one"), lab_folders("two")
    assert one.passphrase == two.passphrase
    for file in ("machines", "keys", "settings", "cluster", "kubeconfig", "images_lock"):
        assert getattr(one, file) != getattr(two, file)


@pytest.mark.parametrize("name", ["", "Upper", "../escape", "a" * 17, "1st", "with space"])
def test_unusable_name_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        lab_folders(name)
    assert caught.value.exit_code == 2
    assert "a-z" in caught.value.advice

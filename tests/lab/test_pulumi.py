"""Stacks in the lab: one backend per cluster, no secret in the environment, a foreign salt does not block."""

from ipaddress import IPv4Network
from pathlib import Path

from lab import pulumi
from lab.folders import LabFolders
from lab.network import LabNetwork

NETWORK = LabNetwork(IPv4Network("198.51.100.0/24"))
TOOLS = {"pulumi": Path("/t/p"), "pulumi-language-python": Path("/t/l"), "kubernetes": Path("/t/k")}


def test_backend_belongs_to_one_cluster(tmp_path: Path) -> None:
    folders = LabFolders("t", tmp_path, tmp_path)
    assert pulumi.backend_folder(folders, "uid-1") != pulumi.backend_folder(folders, "uid-2")
    assert "uid-1" in pulumi.environment(folders, NETWORK, "uid-1", TOOLS)["PULUMI_BACKEND_URL"]


def test_exports_are_shell_lines_of_paths_and_addresses(tmp_path: Path) -> None:
    folders = LabFolders("t", tmp_path / "with space", tmp_path)
    text = pulumi.shell_exports(pulumi.environment(folders, NETWORK, "uid", TOOLS))
    assert all(line.startswith("export ") for line in text.splitlines())
    assert "export KUBECONFIG='" in text, "a path with a space is quoted"
    assert "PASSPHRASE=" not in text
    assert "SECRET" not in text


def test_tools_come_first_on_path_and_once(tmp_path: Path) -> None:
    path = pulumi.environment(LabFolders("t", tmp_path, tmp_path), NETWORK, "uid", TOOLS)["PATH"].split(":")
    assert path[1:4] == ["/t/p", "/t/l", "/t/k"]
    assert len(path) == len(set(path))


def test_foreign_salt_is_dropped_unless_something_is_encrypted_with_it(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("encryptionsalt: v1:abc\nconfig:\n  a: b\n")
    assert pulumi.forget_foreign_salt(file)
    assert file.read_text() == "config:\n  a: b\n"
    assert not pulumi.forget_foreign_salt(file)
    file.write_text("encryptionsalt: v1:abc\nconfig:\n  a:\n    secure: v1:xyz\n")
    assert not pulumi.forget_foreign_salt(file)
    assert "secure: v1:xyz" in file.read_text()


def test_stacks_are_the_projects_stack_files(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.b.yaml", "Pulumi.a.yaml"):
        (tmp_path / name).touch()
    assert pulumi.stack_names(tmp_path) == ["a", "b"]


def test_language_host_is_put_beside_the_engine_and_a_dead_link_is_replaced(tmp_path: Path) -> None:
    engine, host = tmp_path / "engine", tmp_path / "host"
    for folder in (engine, host):
        folder.mkdir()
    for name in ("pulumi-language-python", "pulumi-language-python-exec"):
        (host / name).write_text(name)
    (engine / "pulumi-language-python").symlink_to(tmp_path / "gone")
    pulumi.put_host_beside_engine(engine, host)
    pulumi.put_host_beside_engine(engine, host)
    assert (engine / "pulumi-language-python").read_text() == "pulumi-language-python"
    assert (engine / "pulumi-language-python-exec").exists()

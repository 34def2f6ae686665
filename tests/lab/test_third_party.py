"""Third-party programs of a platform: what becomes an image, what an image holds, what the lock says."""

import json
import sys
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import httpx
import pytest

from lab import kubernetes, pulumi, third_party, third_party_images
from lab.console import Steps
from lab.errors import LabError, MachineUnfitError
from lab.folders import LabFolders
from lab.network import LabNetwork
from lab.third_party_images import ThirdPartyImage
from lab.toolchain import debian, gobuild
from lab.toolchain.debian import Unpacked
from lab.toolchain.pins import CUSTOM_RESOURCES, Build, Tool, load_pins
from lab.toolchain.provide import Provided

NETWORK = LabNetwork(IPv4Network("198.51.100.0/24"))
REGISTRY = "198.51.100.2:5000"
DIGEST = "sha256:" + "a" * 64
PINS = load_pins()


@pytest.fixture
def folders(tmp_path: Path) -> LabFolders:
    one = LabFolders(name="t", data=tmp_path / "data", cache=tmp_path / "cache")
    one.root.mkdir(parents=True)
    return one


def silent(_: str) -> None:
    """Take progress and show none."""


def image(tmp_path: Path, content: bytes = b"program", version: str = "1.2+ds~1") -> ThirdPartyImage:
    program = tmp_path / "some-program"
    program.write_bytes(content)
    program.chmod(0o755)
    return ThirdPartyImage("prometheus", version, {"bin/prometheus": program})


def registry(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url=f"https://{REGISTRY}", transport=httpx.MockTransport(answer))


def test_levels_hold_what_they_promise() -> None:
    builtin, everything = PINS.of_platform("builtin"), PINS.of_platform("all")
    assert builtin == ("prometheus", "kube-state-metrics")
    assert set(builtin) < set(everything)
    images = {name for tool in everything for name in PINS.tools[tool].images}
    assert images | {one.image for one in debian.PROGRAMS} == {
        "prometheus", "alertmanager", "node-exporter", "kube-state-metrics", "prometheus-operator",
        "prometheus-config-reloader", "prometheus-adapter", "vpa-recommender", "jaeger", "loki", "promtail",
    }  # fmt: skip


def test_an_image_is_of_a_binary_that_its_tool_has() -> None:
    for tool in PINS.tools.values():
        assert set(tool.images.values()) <= set(tool.binaries), tool.name
        assert bool(tool.images) == (tool.platform is not None), tool.name


def test_built_program_is_the_only_file_of_its_image_and_its_entry_point(tmp_path: Path) -> None:
    tool = PINS.tools["prometheus-operator"]
    made = {one.name: one for one in third_party_images.built_images([Provided(tool, tmp_path, "built")])}
    assert made["prometheus-operator"].files == {"bin/prometheus-operator": tmp_path / "operator"}
    reloader = made["prometheus-config-reloader"]
    assert reloader.program == "/bin/prometheus-config-reloader", "the operator starts it by this path"
    lines = reloader.containerfile.splitlines()
    assert lines[0] == "FROM scratch"
    assert "USER 65534:65534" in lines
    assert 'ENTRYPOINT ["/bin/prometheus-config-reloader"]' in lines
    assert not any(line.startswith("CMD") for line in lines)


def test_packaged_program_has_its_libraries_and_data_where_it_looks(tmp_path: Path) -> None:
    unpacked = {one.package: Unpacked(one.package, "1", tmp_path / one.package) for one in debian.PROGRAMS}
    libraries = (Path("/lib/x86_64-linux-gnu/libc.so.6"), Path("/lib64/ld-linux-x86-64.so.2"))
    with pytest.raises(LabError, match="has no files in /usr/share/prometheus/alertmanager"):
        third_party_images.packaged_images(unpacked, lambda _: libraries)
    template = tmp_path / "prometheus-alertmanager/usr/share/prometheus/alertmanager/default.tmpl"
    template.parent.mkdir(parents=True)
    template.write_text("template")
    made = {one.name: one for one in third_party_images.packaged_images(unpacked, lambda _: libraries)}
    assert made["alertmanager"].files == {
        "bin/alertmanager": tmp_path / "prometheus-alertmanager/usr/bin/prometheus-alertmanager",
        "lib/x86_64-linux-gnu/libc.so.6": libraries[0],
        "lib64/ld-linux-x86-64.so.2": libraries[1],
        "usr/share/prometheus/alertmanager/default.tmpl": template,
    }


def test_tag_is_a_legal_name_of_version_and_content(tmp_path: Path) -> None:
    first = image(tmp_path).tag
    assert first.startswith("1.2-ds-1-")
    assert image(tmp_path).tag == first
    assert image(tmp_path, content=b"another").tag != first


def test_context_holds_every_file_with_its_right_to_be_executed(tmp_path: Path) -> None:
    one = image(tmp_path)
    plain = tmp_path / "page.html"
    plain.write_text("page")
    plain.chmod(0o600)
    context = tmp_path / "context"
    third_party_images.write_context(ThirdPartyImage("p", "1", {**one.files, "usr/share/p/page.html": plain}), context)
    assert (context / "root/bin/prometheus").stat().st_mode & 0o777 == 0o755
    assert (context / "root/usr/share/p/page.html").stat().st_mode & 0o777 == 0o644
    assert "ENTRYPOINT" in (context / "Containerfile").read_text()


def test_only_what_the_registry_lacks_is_pushed_and_references_are_by_its_digest(
    folders: LabFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: set[str] = set()
    pushed: list[str] = []

    def push(_: LabFolders, reference: str, fill: Callable[[Path], None], *, name: str) -> None:
        fill(tmp_path / "context" / str(len(pushed)))
        pushed.append(f"{name} {reference}")
        there.add(reference.rpartition(":")[2])

    def answer(request: httpx.Request) -> httpx.Response:
        known = request.url.path.rpartition("/")[2] in there
        return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST}) if known else httpx.Response(404)

    monkeypatch.setattr(third_party_images, "push_context", push)
    one = image(tmp_path)
    for _ in range(2):
        references = third_party_images.push_images(folders, NETWORK, [one], silent, registry(answer))
        assert references == {"prometheus": f"{REGISTRY}/third-party/prometheus@{DIGEST}"}
    assert pushed == [f"prometheus {REGISTRY}/third-party/prometheus:{one.tag}"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(500), "answer was 500"),
        (httpx.Response(200), "digest ''"),
        (httpx.Response(200, headers={"Docker-Content-Digest": "sha256:short"}), "sha256:short"),
    ],
)
def test_a_registry_that_gives_no_digest_is_an_error(answer: httpx.Response, said: str) -> None:
    with pytest.raises(LabError, match=said) as caught:
        third_party_images.digest_of(registry(lambda _: answer), "third-party/loki", "1")
    assert "third-party/loki:1" in str(caught.value)
    assert "lab status" in caught.value.advice


def test_a_registry_that_does_not_answer_is_an_error_with_advice() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(LabError, match="refused"):
        third_party_images.digest_of(registry(refuse), "third-party/loki", "1")


def test_metrics_server_of_the_lab_is_in_the_lock_too() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})

    found = third_party_images.lab_images(NETWORK, registry(answer), PINS.tools)
    assert found == {"metrics-server": f"{REGISTRY}/kubernetes/metrics-server@{DIGEST}"}
    assert asked == [f"/v2/kubernetes/metrics-server/manifests/v{PINS.tools['metrics-server'].version}"]


def test_lock_keeps_what_an_earlier_up_made_and_forgets_another_registrys(folders: LabFolders) -> None:
    third_party_images.write_lock(folders, NETWORK, {"jaeger": f"{REGISTRY}/third-party/jaeger@{DIGEST}"})
    third_party_images.write_lock(folders, NETWORK, {"loki": f"{REGISTRY}/third-party/loki@{DIGEST}"})
    document = json.loads(folders.platform_images_lock.read_text())
    assert document == {
        "contract": 1,
        "images": {name: f"{REGISTRY}/third-party/{name}@{DIGEST}" for name in ("jaeger", "loki")},
    }
    moved = LabNetwork(IPv4Network("203.0.113.0/24"))
    assert third_party_images.read_lock(folders, moved) == {}


def test_lab_env_exports_the_lock_once_it_is_there(folders: LabFolders) -> None:
    tools = {name: Path("/t") for name in ("pulumi", "pulumi-language-python", "kubernetes")}
    variable = "ROS2BENCH_PLATFORM_IMAGES"
    assert variable not in pulumi.environment(folders, NETWORK, "uid", tools)
    third_party_images.write_lock(folders, NETWORK, {"loki": f"{REGISTRY}/third-party/loki@{DIGEST}"})
    assert pulumi.environment(folders, NETWORK, "uid", tools)[variable] == str(folders.platform_images_lock)
    moved = LabNetwork(IPv4Network("203.0.113.0/24"))
    assert variable not in pulumi.environment(folders, moved, "uid", tools)


def test_resource_types_are_made_and_waited_for(
    folders: LabFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def kubectl(_folders: LabFolders, _tools: object, *words: str, doing: str) -> str:
        said.append(f"{doing}: {' '.join(words)}")
        return ""

    monkeypatch.setattr(kubernetes, "kubectl", kubectl)
    provided = {name: Provided(PINS.tools[name], tmp_path / name, "built") for name in ("jaeger", "vpa-recommender")}
    third_party.make_resource_types(folders, {}, provided, Steps())
    where = tmp_path / "vpa-recommender" / CUSTOM_RESOURCES
    assert said == [
        f"Making the resource types of vpa-recommender: apply --server-side -f {where}",
        f"Making the resource types of vpa-recommender: wait --for=condition=Established --timeout=60s -f {where}",
    ]


def with_resources(pattern: str) -> Tool:
    build = Build(packages=(".",), custom_resources={"example.org/module": pattern})
    return Tool(name="tool", version="1", binaries=("tool",), build=build)


def test_resource_types_are_copied_from_the_module_and_missing_ones_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "module"
    (module / "deploy").mkdir(parents=True)
    (module / "deploy" / "crd.yaml").write_text("kind: CustomResourceDefinition")
    monkeypatch.setattr(gobuild, "run", lambda *_, **__: f"{module}\n")  # pyright: ignore[reportUnknownLambdaType]
    gobuild.keep_files(with_resources("deploy/*.yaml"), Path("go"), {}, tmp_path)
    assert (tmp_path / CUSTOM_RESOURCES / "crd.yaml").read_text() == "kind: CustomResourceDefinition"
    with pytest.raises(LabError, match=r"no file gone/\*\.yaml"):
        gobuild.keep_files(with_resources("gone/*.yaml"), Path("go"), {}, tmp_path)


LDD = """\
\tlinux-vdso.so.1 (0x00007ffd8a5f1000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3f8a000000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f3f8a5f1000)
"""


def test_libraries_are_read_from_ldd_without_those_of_the_kernel() -> None:
    found = debian.shared_libraries(LDD, Path("/p"))
    assert found == (Path("/lib/x86_64-linux-gnu/libc.so.6"), Path("/lib64/ld-linux-x86-64.so.2"))


def test_a_library_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LabError, match=r"libodd\.so\.1") as caught:
        debian.shared_libraries(LDD + "\tlibodd.so.1 => not found\n", Path("/p/program"))
    assert "program" in caught.value.advice


def test_libraries_of_a_real_program_exist() -> None:
    found = debian.find_libraries(Path(sys.executable).resolve())
    assert any(path.name.startswith("libc.so") for path in found)
    assert all(path.exists() for path in found)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("prometheus:\n  Installed: (none)\n  Candidate: 2.42.0+ds-5+deb12u1\n", "2.42.0+ds-5+deb12u1"),
        ("prometheus:\n  Installed: (none)\n  Candidate: (none)\n", None),
        ("", None),
    ],
)
def test_candidate_is_read_from_apt(text: str, version: str | None) -> None:
    assert debian.candidate_version(text) == version


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an apt on PATH that has one package; return the file that notes its downloads."""
    root, programs, downloads = tmp_path / "root", tmp_path / "programs", tmp_path / "downloads"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/hello").write_text("hello")
    programs.mkdir()
    scripts = {
        "apt-cache": "printf '%s:\\n  Candidate: 1:2.0\\n' \"$2\"",
        "apt-get": f'echo "$*" >> {downloads}; tar -cf hello.deb -C {root} .',
        "dpkg-deb": 'tar -xf "$2" -C "$3"',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return downloads


def test_package_is_unpacked_into_the_cache_once(folders: LabFolders, packaged: Path) -> None:
    first, found = (debian.provide_package("hello", folders, silent) for _ in range(2))
    assert first == found
    assert found.version == "1:2.0"
    assert (found.folder / "usr/bin/hello").read_text() == "hello"
    assert list(found.folder.glob("*.deb")) == []
    assert found.folder.parent == folders.cache / "packages" / "hello"
    assert packaged.read_text() == "download -qq hello=1:2.0\n"


def test_without_apt_the_other_ways_are_named(folders: LabFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineUnfitError, match="Package prometheus-alertmanager") as caught:
        debian.provide_package("prometheus-alertmanager", folders, silent)
    assert "make lock-images" in caught.value.advice

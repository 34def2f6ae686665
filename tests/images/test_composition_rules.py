"""Names, types, signatures, files and configuration of a component container."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.images.composing import (
    CONTAINER,
    NOW_NS,
    PACKAGE,
    PLUGIN,
    component,
    key_text,
    limits,
    manifest,
    manifest_of,
    nobody_can_change,
    refusal,
    request,
    sign,
    signature,
    trusted_file,
    write_package,
)
from tests.images.in_cluster import WORKSPACE, module

configuration = module("ros2bench_composition.configuration")
parameter_types = module("ros2bench_composition.parameter_types")

KEY = Ed25519PrivateKey.generate()
TEXT = st.text(max_size=8)
SCALAR = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
SIGNED = st.fixed_dictionaries(
    {
        "call": st.just("load"),
        "container": st.just(CONTAINER),
        "node": TEXT,
        "parameters": st.dictionaries(TEXT, SCALAR, max_size=3),
        "nonce": st.text("0123456789abcdef", min_size=32, max_size=32),
        "time_ns": st.just(NOW_NS),
    }
)


def authority() -> Any:
    return signature.Authority(signature.public_key(key_text(KEY)), lambda: NOW_NS)


@given(SIGNED)
def test_signed_request_is_accepted_once(content: dict[str, Any]) -> None:
    checking, signed = authority(), sign(KEY, content)
    checking.check(content, signed)
    with pytest.raises(refusal.Refusal) as refused:
        checking.check(content, signed)
    assert refused.value.reason == "replayed"


@given(SIGNED, SIGNED)
def test_signature_of_one_request_does_not_fit_another(one: dict[str, Any], other: dict[str, Any]) -> None:
    if one == other and signature.canonical(one) == signature.canonical(other):
        return
    with pytest.raises(refusal.Refusal) as refused:
        authority().check(other, sign(KEY, one))
    assert refused.value.reason == "wrong_key"


@given(SIGNED, st.integers(0, 63), st.integers(1, 255))
def test_any_altered_byte_of_a_signature_is_refused(content: dict[str, Any], where: int, mask: int) -> None:
    altered = bytearray(base64.b64decode(sign(KEY, content)))
    altered[where] ^= mask
    with pytest.raises(refusal.Refusal):
        authority().check(content, base64.b64encode(altered).decode())


def test_canonical_text_is_the_one_of_the_contract() -> None:
    content = {"b": [1, 2.0, "é"], "a": {"z": True, "y": "/"}}
    assert signature.canonical(content) == b'{"a":{"y":"/","z":true},"b":[1,2.0,"\\u00e9"]}'
    load = request.LoadRequest(
        package="p", plugin="p.C", node="n", parameters=[("rate_hz", 5.0)], extra=[("ros2bench.time_ns", 1)]
    )
    assert signature.canonical(load.signed("/c")) == (
        b'{"call":"load","container":"/c","log_level":0,"namespace":"","node":"n","nonce":null,"package":"p",'
        b'"parameters":{"rate_hz":5.0},"plugin":"p.C","remap":[],"time_ns":1}'
    )
    unload = request.UnloadRequest(3, "ab", 7).signed("/c")
    assert signature.canonical(unload) == b'{"call":"unload","container":"/c","nonce":"ab","time_ns":7,"unique_id":3}'


def test_manifest_of_another_key_is_refused() -> None:
    signed = base64.b64encode(KEY.sign(b"ros2bench-manifest-v1\n{}")).decode()
    key = signature.public_key(key_text(KEY))
    signature.check_manifest(b"{}", key, signed)
    for content, trusted in ((b"{ }", key), (b"{}", signature.public_key(key_text(Ed25519PrivateKey.generate())))):
        with pytest.raises(refusal.Refusal, match="Build the images again"):
            signature.check_manifest(content, trusted, signed)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!"])
def test_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(refusal.Refusal, match=r"trust\.public_key"):
        signature.public_key(text)


@given(SCALAR | st.lists(SCALAR, max_size=3))
def test_value_fits_its_own_type_and_no_other(value: Any) -> None:
    found = parameter_types.type_of(value)
    is_path = isinstance(value, str) and (".." in value.split("/") or "\0" in value)
    is_path |= isinstance(value, list) and any(
        isinstance(v, str) and ("\0" in v or ".." in v.split("/")) for v in value
    )
    for wanted in parameter_types.TYPES:
        is_exact = isinstance(value, int) and int(float(value)) == value
        fits = found == wanted or ((found, wanted) == ("integer", "double") and is_exact)
        if fits and not is_path:
            assert parameter_types.checked("p.C", {"a": wanted}, {"a": value})["a"] == value
        else:
            with pytest.raises(refusal.Refusal):
                parameter_types.checked("p.C", {"a": wanted}, {"a": value})


def test_without_a_schema_any_scalar_and_no_list() -> None:
    assert parameter_types.checked("p.C", None, {"any.name": 1, "b": "x"}) == {"any.name": 1, "b": "x"}
    for bad in ({"a": [1]}, {"a": None}, {"a b": 1}, {"a": float("inf")}, {"a": 2**63}, {"a": b"x"}):
        with pytest.raises(refusal.Refusal):
            parameter_types.checked("p.C", None, bad)


@pytest.mark.parametrize("rule", ["a:=b", "/a/b:=/c", "~/a:=b", "frames:=/left/frames"])
def test_remap_rules_that_are_names(rule: str) -> None:
    component.check_names(component.Component("n", "p", "p.m.C", remap=(rule,)))


@pytest.mark.parametrize(
    "rule", ["__node:=x", "a:=__ns", "/a/__b:=c", "a", "a:=b:=c", "a:=../b", "-p x:=1", "rostopic://a:=b", "a:=b\n"]
)
def test_remap_rules_that_are_none(rule: str) -> None:
    with pytest.raises(refusal.Refusal, match="remap rule"):
        component.check_names(component.Component("n", "p", "p.m.C", remap=(rule,)))


def test_rate_counts_a_sliding_minute() -> None:
    now = [0.0]
    rate = limits.Rate(2, "loads", lambda: now[0])
    rate.take()
    now[0] = 30
    rate.take()
    with pytest.raises(refusal.Refusal, match="wait 30 s"):
        rate.take()
    now[0] = 60
    rate.take()
    with pytest.raises(refusal.Refusal):
        rate.take()


def test_memory_of_processes_is_added_up() -> None:
    own = limits.resident_bytes([os.getpid()])
    assert own > 10 * 2**20
    assert limits.resident_bytes([os.getpid(), os.getpid(), 2**22 + 1]) >= 1.9 * own


@pytest.mark.parametrize("path", ["a.py", "/a/../b", "//a", "/a/", "/a/./b", ""])
def test_paths_that_are_not_plain_are_refused(path: str) -> None:
    with pytest.raises(refusal.Refusal, match=r"absolute path without|missing|cannot be opened"):
        trusted_file.read_trusted(path, changeable=nobody_can_change)


@pytest.mark.parametrize("kind", ["folder", "pipe", "nothing"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.py"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(refusal.Refusal) as refused:
        trusted_file.read_trusted(str(path), changeable=nobody_can_change)
    assert refused.value.reason == ("missing" if kind == "nothing" else "not_a_file")


def test_search_path_is_looked_through(tmp_path: Path) -> None:
    assert trusted_file.changeable_folders([str(tmp_path), "/no/such", "", str(tmp_path)]) == [str(tmp_path), "."]
    assert trusted_file.changeable_folders([str(tmp_path)], changeable=nobody_can_change) == []


def test_manifest_maps_modules_to_files(tmp_path: Path) -> None:
    file = write_package(tmp_path)
    inner = file.parent / "joint"
    inner.mkdir()
    (inner / "__init__.py").write_text("")
    (inner / "elbow.py").write_text("")
    found = manifest.parse_manifest(manifest_of(tmp_path, None))
    assert sorted(found.modules) == ["arm_nodes", "arm_nodes.arm", "arm_nodes.joint", "arm_nodes.joint.elbow"]
    assert found.modules["arm_nodes.joint"].is_package
    assert found.modules["arm_nodes.arm"].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.schemas == {(PACKAGE, PLUGIN): None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": 2}, "speaks 1"),
        ({"files": {"relative.py": "0" * 64}}, "absolute paths"),
        ({"files": {"/a/../b.py": "0" * 64}}, "absolute paths"),
        ({"files": {"/a/b.py": "0"}}, "absolute paths"),
        ({"files": {}}, "lacks the package arm_nodes"),
        ({"components": [{"package": "p"}]}, "package, plugin and parameters"),
        ({"components": [{"package": PACKAGE, "plugin": PLUGIN, "parameters": {"a": "colour"}}]}, "null or map"),
        (
            {"components": [{"package": PACKAGE, "plugin": "arm_nodes.leg.Leg", "parameters": None}]},
            "arm_nodes.leg.Leg",
        ),
        ({"more": 1}, "exactly"),
    ],
)
def test_broken_manifest_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    write_package(tmp_path)
    good = json.loads(manifest_of(tmp_path, None))
    with pytest.raises(refusal.Refusal, match=words):
        manifest.parse_manifest(json.dumps({**good, **change}).encode())


GOOD: dict[str, Any] = {
    "contract": 1,
    "port": 8080,
    "container": "perception",
    "process": "per-component",
    "executor": "single",
    "trust": {"manifest": "/m.json", "public_key": "k", "signature": "s"},
    "limits": {"components": 16, "memory_mebibytes": 2048, "loads_per_minute": 30, "load_timeout_s": 60},
    "components": [{"node": "arm", "package": PACKAGE, "plugin": PLUGIN, "parameters": {"speed": 1.0}}],
}


def test_configuration_of_the_contract_is_read() -> None:
    read = configuration.parse_configuration(GOOD, "0")
    assert read.components == (component.Component("arm", PACKAGE, PLUGIN, {"speed": 1.0}),)
    assert (read.limits, read.trust.sros2) == (limits.Limits(), False)
    least = configuration.parse_configuration({k: GOOD[k] for k in ("contract", "container", "trust")}, "0")
    assert (least.process, least.executor, least.port, least.components) == ("per-component", "single", 0, ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": 2}, "speaks 1"),
        ({"surprise": 1}, "unknown keys"),
        ({"process": "one"}, "choices: per-component, shared"),
        ({"executor": "events"}, "choices: single, multi, isolated"),
        ({"container": "/perception"}, "must be a node name"),
        ({"trust": {"manifest": "/m.json"}}, "public_key"),
        ({"trust": {**GOOD["trust"], "sros2": 1}}, "true or false"),
        ({"limits": {"components": 0}}, "limits.components is 0"),
        ({"limits": {"components": 1.5}}, "limits.components is 1.5"),
        ({"limits": {"cores": 1}}, "unknown keys"),
        ({"limits": {"components": 1}, "components": GOOD["components"] * 1 + [{**GOOD["components"][0], "node": "b"}]},
         "2 components exceed"),
        ({"components": GOOD["components"] * 2}, "must differ"),
        ({"components": [{"node": "arm"}]}, r"components\[0\]"),
        ({"components": [{**GOOD["components"][0], "environment": {"LD_PRELOAD": "x"}}]}, "unknown keys"),
        ({"port": 70000}, "port is 70000"),
    ],
)  # fmt: skip
def test_broken_configuration_is_refused_with_its_key(change: dict[str, Any], words: str) -> None:
    with pytest.raises((configuration.ConfigurationError, refusal.Refusal), match=words):
        configuration.parse_configuration({**GOOD, **change}, "0")


def test_unreadable_configuration_ends_with_two_and_a_sentence(tmp_path: Path) -> None:
    packages = ("ros2bench_composition", "ros2bench_bringup", "ros2bench_telemetry")
    path = os.pathsep.join(str(WORKSPACE / name) for name in packages)
    done = subprocess.run(
        [sys.executable, "-m", "ros2bench_composition.container", str(tmp_path / "none.json")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "none.json cannot be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1

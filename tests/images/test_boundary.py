"""What an overlay may do to the layers below it, on made-up trees."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.boundary import (
    Boundary,
    boundary_faults,
    dependents,
    read_boundary,
    require_boundary,
    upper_faults,
    used_definitions,
)
from images.definitions import changed, normalised
from images.errors import BuildError
from images.inventory import INSTALL_SPACE, Inventory, module_name, search_paths, take_inventory
from images.lock import LockedOverlay
from images.publish import require_depth
from images.roles import Overlay

A, B = (f"sha256:{digit * 64}" for digit in "ab")
SITE = "lib/python3.11/site-packages"


def put(root: Path, *files: str, text: str = "") -> Path:
    for name in files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def package(root: Path, name: str, *, needs: str = "", message: str = "") -> Path:
    """An installed package with a module, perhaps a message and a dependency."""
    put(root, f"share/ament_index/resource_index/packages/{name}", f"{SITE}/{name}/__init__.py")
    put(
        root,
        f"share/{name}/package.xml",
        text=f"<package><name>{name}</name><depend>{needs or 'rclpy'}</depend></package>",
    )
    if message:
        put(root, f"share/{name}/msg/Thing.msg", text=message)
        put(root, f"lib/lib{name}__rosidl_generator_c.so")
    return root


def layer(root: Path) -> Inventory:
    return take_inventory(root, INSTALL_SPACE)


@pytest.fixture
def base(tmp_path: Path) -> Inventory:
    """A base with system libraries, Python's own modules, programs, messages, and a package that uses them."""
    root = tmp_path / "base"
    put(root, "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/python3.11/json/__init__.py", "usr/bin/cp")
    put(root, "usr/lib/python3.11/sitecustomize.py", "usr/lib/python3/dist-packages/yaml.py")
    (root / "lib").symlink_to("usr/lib")
    prefix = root / "opt/ros/jazzy"
    package(prefix, "thing_msgs", message="int32 a  # one\nint32 b")
    package(prefix, "thing_user", needs="thing_msgs")
    environment = [
        "PATH=/usr/bin",
        "AMENT_PREFIX_PATH=/opt/ros2bench/workspace:/opt/ros/jazzy",
        "LD_LIBRARY_PATH=/opt/ros/jazzy/lib",
        f"PYTHONPATH=/opt/ros/jazzy/{SITE}",
        "OTHER=a=b",
    ]
    return take_inventory(root, search_paths(environment))


def faults(overlay: Path, base: Inventory, **lists: list[str]) -> list[str]:
    return boundary_faults(layer(overlay), [("the base", base)], Boundary(**lists))


def test_inventory_finds_what_the_loader_and_python_would_find(base: Inventory) -> None:
    assert base.packages == {"thing_msgs", "thing_user"}
    assert {"json", "yaml", "sitecustomize", "thing_msgs"} <= base.modules
    assert base.libraries == {"libc.so.6", "libthing_msgs__rosidl_generator_c.so"}
    assert base.programs == {"cp"}
    assert base.definitions == {"thing_msgs/msg/Thing": "int32 a\nint32 b"}
    assert base.dependencies["thing_user"] == {"thing_msgs"}


def test_inventory_does_not_leave_the_tree(tmp_path: Path) -> None:
    put(tmp_path / "outside", "libsecret.so")
    root = tmp_path / "root"
    root.mkdir()
    (root / "lib").symlink_to(tmp_path / "outside")
    assert layer(root) == Inventory()


@pytest.mark.parametrize(
    ("entry", "is_folder", "name"),
    [
        ("rclpy", True, "rclpy"),
        ("numpy.libs", True, None),
        ("numpy-2.0.dist-info", True, None),
        ("__pycache__", True, None),
        ("six.py", False, "six"),
        ("_cffi.cpython-311-x86_64-linux-gnu.so", False, "_cffi"),
        ("a.pth", False, None),
        ("README.txt", False, None),
    ],
)
def test_modules_are_what_python_would_import(entry: str, is_folder: bool, name: str | None) -> None:
    assert module_name(entry, is_folder=is_folder) == name


def test_an_overlay_of_new_names_crosses_nothing(tmp_path: Path, base: Inventory) -> None:
    assert faults(package(tmp_path / "o", "mine", message="int32 c"), base) == []


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (f"{SITE}/json.py", "Python module json hides the one of the base"),
        (f"{SITE}/yaml/__init__.py", "Python module yaml hides"),
        (f"{SITE}/sitecustomize.py", "sitecustomize hides"),
        (f"{SITE}/usercustomize.py", "usercustomize would run at every start"),
        ("lib/libc.so.6", "library libc.so.6 hides"),
        ("bin/cp", "program cp hides"),
        ("share/ament_index/resource_index/packages/thing_user", "package thing_user replaces"),
        (f"{SITE}/thing_msgs/__init__.py", "module thing_msgs hides"),
        ("lib/libthing_msgs__rosidl_generator_c.so", "library libthing_msgs__rosidl_generator_c.so hides"),
    ],
)
def test_what_hides_a_lower_name_is_refused_and_named(tmp_path: Path, base: Inventory, file: str, words: str) -> None:
    (fault,) = faults(put(tmp_path / "o", file), base)
    assert words in fault


def test_what_is_listed_may_be_replaced_with_all_that_belongs_to_it(tmp_path: Path, base: Inventory) -> None:
    overlay = package(tmp_path / "o", "thing_msgs", message="int32 a\n\nint32 b  # said better")
    assert len(faults(overlay, base)) == 1
    assert faults(overlay, base, replaces=["thing_msgs"]) == []
    assert faults(put(tmp_path / "p", f"{SITE}/json.py"), base, replaces=["json"]) == []


def test_a_list_that_names_what_is_not_there_is_refused(tmp_path: Path, base: Inventory) -> None:
    (fault,) = faults(package(tmp_path / "o", "mine"), base, replaces=["thing_msgs"])
    assert "replaces lists thing_msgs, but the overlay holds no such" in fault


def test_an_interface_may_change_only_if_listed_and_only_with_all_that_use_it(tmp_path: Path, base: Inventory) -> None:
    overlay = package(tmp_path / "o", "thing_msgs", message="int64 a\nint32 b")
    allowed = {"replaces": ["thing_msgs"]}
    unlisted, left = faults(overlay, base, **allowed)
    assert "thing_msgs/msg/Thing is changed (− int32 a, + int64 a), and the layers below were built with it" in unlisted
    assert "thing_user below is not built again with it" in left
    assert faults(overlay, base, **allowed, changes_interfaces=["thing_msgs"]) == [left]
    package(overlay, "thing_user", needs="thing_msgs")
    both = {"replaces": ["thing_msgs", "thing_user"]}
    assert faults(overlay, base, **both, changes_interfaces=["thing_msgs"]) == []
    assert len(faults(overlay, base, **both)) == 1


def test_a_removed_definition_is_a_change(tmp_path: Path, base: Inventory) -> None:
    overlay = package(tmp_path / "o", "thing_msgs")
    found = faults(overlay, base, replaces=["thing_msgs"], changes_interfaces=[])
    assert any("thing_msgs/msg/Thing is gone" in fault for fault in found)


def test_dependents_are_found_through_others() -> None:
    named = {"a": {"msgs"}, "b": {"a"}, "c": {"other"}, "msgs": set[str]()}
    assert dependents("msgs", {name: frozenset(wanted) for name, wanted in named.items()}) == {"a", "b"}


def test_a_new_version_below_is_refused_while_what_was_built_on_the_old_one_stays(tmp_path: Path) -> None:
    upper = LockedOverlay(
        base="b", below=["interfaces"], packages=A, interfaces={}, against={"m/msg/A": A, "m/msg/B": A}
    )
    others = {"nodes": upper, "interfaces": LockedOverlay(base="b", below=[], packages=A, interfaces={}, against={})}
    same, other = {"m/msg/A": A, "m/msg/B": A, "m/msg/New": B}, {"m/msg/A": B, "m/msg/B": A}
    listed = Boundary(changes_interfaces=["m"])
    assert upper_faults("interfaces", same, Boundary(), others, frozenset()) == []
    unlisted, left = upper_faults("interfaces", other, Boundary(), others, frozenset())
    assert "m/msg/A is another one than overlay nodes was built with" in unlisted
    assert "nodes" in left
    assert "same command" in left
    assert upper_faults("interfaces", other, listed, others, frozenset()) == [left]
    assert upper_faults("interfaces", other, listed, others, frozenset({"nodes"})) == []
    assert upper_faults("another", other, Boundary(), others, frozenset()) == []


def test_an_overlay_notes_the_definitions_that_its_packages_use(tmp_path: Path) -> None:
    lower = layer(package(package(tmp_path / "l", "used_msgs", message="int32 a"), "other_msgs", message="int32 b"))
    upper = layer(package(tmp_path / "u", "mine", needs="used_msgs"))
    assert used_definitions(upper, [lower]) == {"used_msgs/msg/Thing": "int32 a"}


def test_comments_blanks_defaults_and_constants_change_nothing() -> None:
    old = '# text\nint32 LIMIT=3\nint32 a 5\nstring<=10 name "#"\n---\nbool ok'
    new = "int32   a\nint32 LIMIT = 4\nstring<=10 name  # why\n\n---\nbool ok  # done"
    assert normalised(old) == normalised(new) == "int32 a\nstring<=10 name\n---\nbool ok"


@given(st.lists(st.sampled_from(["int32 a", "int64 a", "string b", "---", "float32[8] c"]), max_size=5))
def test_order_and_types_of_fields_matter(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert normalised(text) == text
    assert (normalised("\n".join(reversed(lines))) == text) == (lines == lines[::-1])


@given(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")),
)
def test_only_old_definitions_can_change(before: dict[str, str], after: dict[str, str]) -> None:
    assert set(changed(before, after)) <= before.keys()
    assert changed(before, {**after, **before}) == []


def test_a_missing_file_lists_nothing(tmp_path: Path) -> None:
    assert read_boundary(tmp_path / "boundary.toml") == Boundary()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("replaces = 3", r"boundary\.toml: replaces: .*replaces and changes_interfaces"),
        ("replace = []", r"boundary\.toml: replace: "),
        ("replaces = [", r"boundary\.toml cannot be read"),
    ],
)
def test_a_broken_file_is_named_with_key_and_rule(tmp_path: Path, text: str, words: str) -> None:
    put(tmp_path, "boundary.toml", text=text)
    with pytest.raises(BuildError, match=words):
        read_boundary(tmp_path / "boundary.toml")


def test_all_faults_are_told_at_once_with_the_file_to_list_them_in() -> None:
    require_boundary("mine", Path("w/boundary.toml"), [])
    with pytest.raises(
        BuildError, match=r"Overlay mine crosses its boundary:\n  One\.\n  Two\.\nRename.*w/boundary\.toml"
    ):
        require_boundary("mine", Path("w/boundary.toml"), ["One.", "Two.", "One."])


def test_a_fourth_overlay_is_refused_with_the_reason(tmp_path: Path) -> None:
    require_depth(Overlay("c", tmp_path, tmp_path, "base", ("a", "b")))
    with pytest.raises(BuildError, match=r"number 4 .*each adds a lookup to every import"):
        require_depth(Overlay("d", tmp_path, tmp_path, "base", ("a", "b", "c")))

"""Overlays are mounted as images or copied by an init container, at the same place and in the same order."""

import pytest

from components import overlays, patterns, perception
from components.graph import Container, Overlay
from components.patterns import Options
from components.refusal import Refusal
from tests.support import values

OPTIONS = Options(application="perception", images=perception.IMAGES)
IMAGES = {role: f"registry.example/{role}@{values.DIGEST}" for role in values.ROLES}


def container() -> Container:
    (pod,) = patterns.placement("overlay", values.application(), OPTIONS)
    return pod.container


def test_later_overlays_have_higher_numbers_and_are_read_only() -> None:
    assert [(m["mountPath"], m["readOnly"]) for m in overlays.mounts(container())] == [
        ("/opt/overlays/10-interfaces", True),
        ("/opt/overlays/20-nodes", True),
    ]


def test_an_image_volume_names_the_image_by_digest() -> None:
    assert overlays.volumes(container(), IMAGES, "image-volume")[0] == {
        "name": "overlay-interfaces",
        "image": {"reference": IMAGES["overlay-interfaces"], "pullPolicy": "IfNotPresent"},
    }
    assert overlays.init_containers(container(), IMAGES, "image-volume") == []
    assert overlays.needed_images(container(), "image-volume") == ("overlay-interfaces", "overlay-nodes")


def test_a_copy_goes_from_the_carrier_to_the_same_place() -> None:
    (first, second) = overlays.init_containers(container(), IMAGES, "copy")
    assert first["image"] == IMAGES["overlay-interfaces-carrier"]
    assert first["command"] == ["cp", "-dR", "/overlay/.", "/opt/overlays/10-interfaces"]
    assert second["volumeMounts"] == [{"name": "overlay-nodes", "mountPath": "/opt/overlays/20-nodes"}]
    assert all("emptyDir" in volume for volume in overlays.volumes(container(), IMAGES, "copy"))
    assert overlays.needed_images(container(), "copy") == ("overlay-interfaces-carrier", "overlay-nodes-carrier")


def test_an_overlay_without_a_carrier_cannot_be_copied() -> None:
    alone = Container(name="c", image="i", processes=(), overlays=(Overlay(name="mine", image="mine"),))
    assert overlays.needed_images(alone, "image-volume") == ("mine",)
    with pytest.raises(Refusal, match=r"overlay mine: this cluster cannot mount an image.*overlays\[\]\.carrier"):
        overlays.needed_images(alone, "copy")

"""The profile is the one with which large frames were measured to arrive."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from components.transport import NAMESPACE, fastdds_profile


@given(buffer_bytes=st.integers(min_value=4096, max_value=2**30))
def test_one_udp_transport_with_the_wanted_buffers_and_no_other(buffer_bytes: int) -> None:
    root = ET.fromstring(fastdds_profile(buffer_bytes))  # noqa: S314 - our own text
    inside = {"d": NAMESPACE}
    (descriptor,) = root.iterfind(".//d:transport_descriptor", inside)
    assert descriptor.findtext("d:type", None, inside) == "UDPv4"
    assert descriptor.findtext("d:sendBufferSize", None, inside) == str(buffer_bytes)
    assert descriptor.findtext("d:receiveBufferSize", None, inside) == str(buffer_bytes)
    participant = root.find(".//d:participant", inside)
    assert participant is not None
    assert participant.get("is_default_profile") == "true"
    used = participant.findtext(".//d:userTransports/d:transport_id", None, inside)
    assert used == descriptor.findtext("d:transport_id", None, inside)
    assert participant.findtext(".//d:useBuiltinTransports", None, inside) == "false"


@given(unicast_only=st.booleans())
def test_multicast_is_left_out_exactly_where_only_named_peers_may_be_met(*, unicast_only: bool) -> None:
    root = ET.fromstring(fastdds_profile(4096, unicast_only=unicast_only))  # noqa: S314 - our own text
    inside = {"d": NAMESPACE}
    locators = root.findall(".//d:builtin/d:metatrafficUnicastLocatorList/d:locator", inside)
    assert len(locators) == (1 if unicast_only else 0)
    # A pod may hold more processes than the four that Fast DDS looks for at one address.
    looked_for = root.findtext(".//d:maxInitialPeersRange", None, inside)
    assert looked_for == ("32" if unicast_only else None)

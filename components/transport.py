"""Fast DDS profile that carries large frames without loss: UDP only, with buffers for whole frames.

The built-in transports are off: their default socket buffers lose frames of a megabyte, and shared memory
appears to work between pods of one machine although it cannot.
"""

from xml.etree import ElementTree as ET

PROFILES_FILE_NAME = "fastdds.xml"
NAMESPACE = "http://www.eprosima.com"
TRANSPORT_ID = "udp"
PARTICIPANTS_PER_ADDRESS = 32
"""Participants that are looked for at one address; Fast DDS's own 4 are fewer than the processes of one pod."""


def fastdds_profile(socket_buffer_bytes: int, *, unicast_only: bool = False) -> str:
    """XML document for `FASTRTPS_DEFAULT_PROFILES_FILE`.

    Args:
        socket_buffer_bytes: Send and receive buffer of each UDP socket; the machine's `net.core.rmem_max` and
            `wmem_max` cap it.
        unicast_only: Join no multicast group, so that only the peers that are named can be met.
    """
    root = ET.Element("dds", xmlns=NAMESPACE)
    profiles = ET.SubElement(root, "profiles")
    descriptors = ET.SubElement(profiles, "transport_descriptors")
    descriptor = ET.SubElement(descriptors, "transport_descriptor")
    _texts(
        descriptor,
        transport_id=TRANSPORT_ID,
        type="UDPv4",
        sendBufferSize=str(socket_buffer_bytes),
        receiveBufferSize=str(socket_buffer_bytes),
    )
    participant = ET.SubElement(profiles, "participant", profile_name="ros2bench", is_default_profile="true")
    rtps = ET.SubElement(participant, "rtps")
    if unicast_only:
        _texts(descriptor, maxInitialPeersRange=str(PARTICIPANTS_PER_ADDRESS))
        # An empty locator is every address of the pod; with one in the list the multicast group is not added.
        ET.SubElement(ET.SubElement(ET.SubElement(rtps, "builtin"), "metatrafficUnicastLocatorList"), "locator")
    _texts(ET.SubElement(rtps, "userTransports"), transport_id=TRANSPORT_ID)
    _texts(rtps, useBuiltinTransports="false")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _texts(parent: ET.Element, **children: str) -> None:
    for tag, text in children.items():
        ET.SubElement(parent, tag).text = text

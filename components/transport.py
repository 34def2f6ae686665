"""Fast DDS profile that carries large frames without loss: UDP only, with buffers for whole frames.

The built-in transports are off: their default socket buffers lose frames of a megabyte, and shared memory
appears to work between pods of one machine although it cannot.
"""

from xml.etree import ElementTree as ET

PROFILES_FILE_NAME = "fastdds.xml"
NAMESPACE = "http://www.eprosima.com"
TRANSPORT_ID = "udp"


def fastdds_profile(socket_buffer_bytes: int) -> str:
    """XML document for `FASTRTPS_DEFAULT_PROFILES_FILE`.

    Args:
        socket_buffer_bytes: Send and receive buffer of each UDP socket; the machine's `net.core.rmem_max` and
            `wmem_max` cap it.
    """
    root = ET.Element("dds", xmlns=NAMESPACE)
    profiles = ET.SubElement(root, "profiles")
    descriptors = ET.SubElement(profiles, "transport_descriptors")
    _texts(
        ET.SubElement(descriptors, "transport_descriptor"),
        transport_id=TRANSPORT_ID,
        type="UDPv4",
        sendBufferSize=str(socket_buffer_bytes),
        receiveBufferSize=str(socket_buffer_bytes),
    )
    participant = ET.SubElement(profiles, "participant", profile_name="ros2bench", is_default_profile="true")
    rtps = ET.SubElement(participant, "rtps")
    _texts(ET.SubElement(rtps, "userTransports"), transport_id=TRANSPORT_ID)
    _texts(rtps, useBuiltinTransports="false")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _texts(parent: ET.Element, **children: str) -> None:
    for tag, text in children.items():
        ET.SubElement(parent, tag).text = text

"""The part of the protocol buffers wire format that containerd's calls need; no generated code.

A message is a mapping from field number to the values in order of arrival: whole numbers for
varints, bytes for everything with a length. https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterable, Mapping

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT_BYTES = 10
SIGN_BIT = 1 << 63

Value = int | bytes
Message = Mapping[int, list[Value]]


class WireError(ValueError):
    """Bytes that are no message."""


def encode(fields: Iterable[tuple[int, Value | str]]) -> bytes:
    """Message of fields in the given order.

    Args:
        fields: number and value; text is sent as UTF-8, numbers as varints (not negative).
    """
    parts: list[bytes] = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_varint(number << 3 | VARINT), _varint(value)]
        else:
            content = value.encode() if isinstance(value, str) else value
            parts += [_varint(number << 3 | LENGTH), _varint(len(content)), content]
    return b''.join(parts)


def decode(data: bytes) -> dict[int, list[Value]]:
    """Fields of a message; fixed-width fields are given as whole numbers.

    Raises:
        WireError: it is cut off, or of a wire type that is no longer in use.
    """
    fields: dict[int, list[Value]] = {}
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        value: Value
        wire_type = key & 7
        if wire_type == VARINT:
            value, position = _read_varint(data, position)
        elif wire_type in {FIXED64, FIXED32, LENGTH}:
            size = {FIXED64: 8, FIXED32: 4}.get(wire_type)
            if size is None:
                size, position = _read_varint(data, position)
            if position + size > len(data):
                raise WireError(f'field {key >> 3} is cut off after {len(data) - position} bytes')
            content = data[position : position + size]
            value = content if wire_type == LENGTH else int.from_bytes(content, 'little')
            position += size
        else:
            raise WireError(f'field {key >> 3} has the unknown wire type {wire_type}')
        fields.setdefault(key >> 3, []).append(value)
    return fields


def text(message: Message, number: int) -> str:
    """Last value of a text field; empty where there is none, as the format defines."""
    value = message.get(number, [b''])[-1]
    if not isinstance(value, bytes):
        raise WireError(f'field {number} is a number, not text')
    return value.decode('utf-8', 'replace')


def number(message: Message, field: int) -> int:
    """Last value of an int32, int64 or enum field; 0 where there is none."""
    value = message.get(field, [0])[-1]
    if not isinstance(value, int):
        raise WireError(f'field {field} is no number')
    return value - (1 << 64) if value & SIGN_BIT else value


def messages(message: Message, field: int) -> list[dict[int, list[Value]]]:
    """All values of a field that holds messages."""
    return [decode(value) for value in message.get(field, []) if isinstance(value, bytes)]


def text_map(message: Message, field: int) -> dict[str, str]:
    """A field of type map<string, string>."""
    return {text(entry, 1): text(entry, 2) for entry in messages(message, field)}


def _varint(value: int) -> bytes:
    if value < 0:
        raise WireError(f'{value} is negative')
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for place in range(LONGEST_VARINT_BYTES):
        if position + place >= len(data):
            raise WireError('a number is cut off')
        byte = data[position + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & (1 << 64) - 1, position + place + 1
    raise WireError(f'a number is longer than {LONGEST_VARINT_BYTES} bytes')

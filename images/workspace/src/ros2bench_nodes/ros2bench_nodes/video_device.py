"""A V4L2 video device, spoken to by ioctl with the standard library alone. Needs no ROS.

Structures are those of a 64-bit kernel (linux/videodev2.h).
"""

import fcntl
import mmap
import os
import select
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from ros2bench_nodes.parameters import ParameterError
from ros2bench_nodes.video_formats import FORMATS

QUERY_CAPABILITIES = 0x80685600
SET_FORMAT = 0xC0D05605
REQUEST_BUFFERS = 0xC0145608
QUERY_BUFFER = 0xC0585609
QUEUE_BUFFER = 0xC058560F
DEQUEUE_BUFFER = 0xC0585611
STREAM_ON = 0x40045612
STREAM_OFF = 0x40045613
CAPTURE = 1
MEMORY_MAPPED = 1
ANY_FIELD = 0
CAN_CAPTURE = 0x00000001
CAN_STREAM = 0x04000000
HAS_DEVICE_CAPABILITIES = 0x80000000
BUFFER_ERROR = 0x00000040
BUFFERS = 4
# The offset shares its place in the structure with wider kinds of address.
LOW_WORD = 0xFFFFFFFF

_CAPABILITY = struct.Struct('<16s32s32sIII12x')
# Type; from offset 8 on width, height, pixel format, field, bytes per line, size.
_FORMAT = struct.Struct('<I4xII4sIII176x')
_REQUEST = struct.Struct('<IIIIB3x')
_BUFFER = struct.Struct('<IIIII4xqq16xIIQI12x')


class Kernel:
    """The calls that a device is spoken to by; a test gives others."""

    def open(self, path: Path) -> int:
        """Open the device for reading and writing, without waiting."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def close(self, descriptor: int) -> None:
        """Close the device."""
        os.close(descriptor)

    def control(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Make a request; the kernel writes its answer over the argument."""
        fcntl.ioctl(descriptor, request, argument, True)  # noqa: FBT003 (its only signature)

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """Show a buffer of the device."""
        return mmap.mmap(descriptor, length, offset=offset)

    def wait(self, descriptor: int, limit_s: float) -> bool:
        """Wait until a picture is there; false when the time is over."""
        return bool(select.select([descriptor], [], [], limit_s)[0])


@dataclass(frozen=True)
class Picture:
    """One picture as the device delivered it."""

    data: bytes
    form: bytes
    width_px: int
    height_px: int
    row_bytes: int


class VideoDevice:
    """A device that delivers pictures until it is closed."""

    def __init__(
        self, path: Path, width_px: int, height_px: int, kernel: Kernel | None = None
    ) -> None:
        """Open the device, agree on a format and let it deliver.

        Args:
            path: for example `/dev/video0`.
            width_px: width that is asked for; the device may choose another.
            height_px: height that is asked for.
            kernel: what the device is spoken to by.

        Raises:
            ParameterError: it cannot be opened, cannot capture, or has neither MJPEG nor YUYV.
        """
        self._path = path
        self._kernel = kernel or Kernel()
        self._buffers: list[mmap.mmap] = []
        try:
            self._descriptor = self._kernel.open(path)
        except OSError as error:
            raise self._refusal(f'it cannot be opened ({error.strerror})') from error
        try:
            self._check_capabilities()
            self._agree(width_px, height_px)
            self._begin()
        except OSError as error:
            self.close()
            raise self._refusal(f'it refused a request ({error.strerror})') from error
        except BaseException:
            self.close()
            raise

    def next_picture(self, limit_s: float) -> Picture | None:
        """Wait for a picture; None when none came in time or the device marked it as damaged.

        Raises:
            OSError: the device is gone.
        """
        if not self._kernel.wait(self._descriptor, limit_s):
            return None
        answer = self._buffer(DEQUEUE_BUFFER, 0)
        index, used_bytes, flags = answer[0], answer[2], answer[3]
        data = self._buffers[index][:used_bytes]
        self._buffer(QUEUE_BUFFER, index)
        if flags & BUFFER_ERROR:
            return None
        return Picture(data, self._form, self._width_px, self._height_px, self._row_bytes)

    def close(self) -> None:
        """Stop the device and give its buffers back."""
        if self._descriptor < 0:
            return
        if self._buffers:
            try:
                self._kernel.control(
                    self._descriptor, STREAM_OFF, bytearray(struct.pack('<i', CAPTURE))
                )
            except OSError as error:
                print(f'{self._path} cannot be stopped: {error.strerror}.', file=sys.stderr)
        for buffer in self._buffers:
            buffer.close()
        self._buffers = []
        self._kernel.close(self._descriptor)
        self._descriptor = -1

    def _check_capabilities(self) -> None:
        answer = bytearray(_CAPABILITY.size)
        self._kernel.control(self._descriptor, QUERY_CAPABILITIES, answer)
        _, _, _, _, of_all, of_this = _CAPABILITY.unpack(answer)
        found = of_this if of_all & HAS_DEVICE_CAPABILITIES else of_all
        if not found & CAN_CAPTURE or not found & CAN_STREAM:
            raise self._refusal(
                'it delivers no stream of pictures (it may be a metadata or output device)'
            )

    def _agree(self, width_px: int, height_px: int) -> None:
        for form in FORMATS:
            answer = bytearray(_FORMAT.pack(CAPTURE, width_px, height_px, form, ANY_FIELD, 0, 0))
            self._kernel.control(self._descriptor, SET_FORMAT, answer)
            _, width, height, got, _, row_bytes, _ = _FORMAT.unpack(answer)
            if got == form:
                self._form, self._width_px, self._height_px = form, width, height
                self._row_bytes = row_bytes or 2 * width
                return
        raise self._refusal('it has neither MJPEG nor YUYV')

    def _begin(self) -> None:
        answer = bytearray(_REQUEST.pack(BUFFERS, CAPTURE, MEMORY_MAPPED, 0, 0))
        self._kernel.control(self._descriptor, REQUEST_BUFFERS, answer)
        for index in range(_REQUEST.unpack(answer)[0]):
            *_, offset, length = self._buffer(QUERY_BUFFER, index)
            self._buffers.append(self._kernel.map(self._descriptor, length, offset & LOW_WORD))
            self._buffer(QUEUE_BUFFER, index)
        self._kernel.control(self._descriptor, STREAM_ON, bytearray(struct.pack('<i', CAPTURE)))

    def _buffer(self, request: int, index: int) -> tuple[int, ...]:
        fields = (index, CAPTURE, 0, 0, 0, 0, 0, 0, MEMORY_MAPPED, 0, 0)
        argument = bytearray(_BUFFER.pack(*fields))
        self._kernel.control(self._descriptor, request, argument)
        return _BUFFER.unpack(argument)

    def _refusal(self, reason: str) -> ParameterError:
        return ParameterError(
            f'Parameter "source" of the camera is {str(self._path)!r} but {reason}: give '
            f'"pictures", "synthetic", a folder, or a video device that the container may open.'
        )

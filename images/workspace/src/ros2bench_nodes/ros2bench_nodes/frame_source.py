"""Where a camera's frames come from: prepared pictures, or a video device. Needs no ROS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ros2bench_nodes.device_frames import DeviceFrames
from ros2bench_nodes.encoding import Payload, encoded
from ros2bench_nodes.parameters import ParameterError
from ros2bench_nodes.pictures import fitted, load_frames
from ros2bench_nodes.video_device import VideoDevice
from ros2bench_nodes.video_formats import decoded


class FrameSource(Protocol):
    """Gives the frame for each number."""

    def payload(self, frame_number: int) -> Payload | None:
        """What is published as this frame; None where there is nothing to show."""
        ...

    def check(self) -> None:
        """Raise if no further frame can come."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class PreparedFrames:
    """Frames that are encoded once and then repeat, so that publishing costs no picture work."""

    def __init__(self, payloads: list[Payload]) -> None:
        self._payloads = payloads

    def payload(self, frame_number: int) -> Payload:
        """The frame whose turn it is."""
        return self._payloads[frame_number % len(self._payloads)]

    def check(self) -> None:
        """Prepared frames never end."""

    def close(self) -> None:
        """Nothing is held."""


def open_source(values: Mapping[str, Any]) -> FrameSource:
    """Open what a camera's parameters name.

    Args:
        values: the camera's checked parameters.

    Raises:
        ParameterError: a folder or device that cannot be used.
    """
    width_px, height_px, encoding = values['width_px'], values['height_px'], values['encoding']
    path = Path(values['source'])
    if path.is_absolute() and path.is_char_device():
        device = VideoDevice(path, width_px, height_px)

        def shown(picture: Any) -> Payload:
            size = (picture.width_px, picture.height_px, picture.row_bytes)
            frame = decoded(picture.data, picture.form, *size)
            return encoded(fitted(frame, width_px, height_px), encoding)

        source = DeviceFrames(device, shown)
        if not source.delivers():
            source.close()
            raise ParameterError(
                f'Parameter "source" of the camera is {values["source"]!r} but the device delivers '
                f'no picture: check it with another program, or give "pictures".'
            )
        return source
    frames = load_frames(values['source'], width_px, height_px, values['seed'])
    return PreparedFrames([encoded(frame, encoding) for frame in frames])

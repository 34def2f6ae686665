"""The newest picture of a video device, taken by a thread of its own. Needs no ROS."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ros2bench_nodes.encoding import Payload
from ros2bench_nodes.video_device import VideoDevice
from ros2bench_nodes.video_formats import PictureError

OLDEST_PICTURE_S = 1.0
PICTURE_LIMIT_S = 0.5
FIRST_PICTURE_LIMIT_S = 10.0
STOP_LIMIT_S = 1.0


class DeviceFrames:
    """Shows the newest picture of a device.

    The schedule stays the camera's: a frame that is due shows the newest picture, and is skipped
    when that is older than a second, which leaves a gap in the numbers.
    """

    def __init__(
        self,
        device: VideoDevice,
        shown: Callable[[Any], Payload],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to take pictures.

        Args:
            device: where they come from; closed with this object.
            shown: turns a picture of the device into what is published.
            clock: seconds that never go back.
        """
        self._device = device
        self._shown = shown
        self._clock = clock
        self._newest: tuple[float, Payload] | None = None
        self._first = threading.Event()
        self._stop = threading.Event()
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, name='video', daemon=True)
        self._thread.start()

    def delivers(self, limit_s: float = FIRST_PICTURE_LIMIT_S) -> bool:
        """Whether a first picture comes in time."""
        return self._first.wait(limit_s) and self._newest is not None

    def payload(self, frame_number: int) -> Payload | None:
        """The newest picture, unless it is too old."""
        del frame_number
        newest = self._newest
        if newest is None or self._clock() - newest[0] > OLDEST_PICTURE_S:
            return None
        return newest[1]

    def check(self) -> None:
        """Raise if the device is gone.

        Raises:
            RuntimeError: it is.
        """
        if self._problem is not None:
            raise RuntimeError(f'The video device delivers nothing any more: {self._problem}.')
        if not self._thread.is_alive() and not self._stop.is_set():
            raise RuntimeError(
                'The video device is not read any more; its thread ended with the error above.'
            )

    def close(self) -> None:
        """Stop taking pictures and close the device."""
        self._stop.set()
        self._thread.join(STOP_LIMIT_S)
        self._device.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                picture = self._device.next_picture(PICTURE_LIMIT_S)
                if picture is None:
                    continue
                taken_s = self._clock()
                try:
                    self._newest = (taken_s, self._shown(picture))
                except PictureError as error:
                    print(f'A picture was left out: {error}', file=sys.stderr)
                    continue
                self._first.set()
        except OSError as error:
            self._problem = error
            self._first.set()

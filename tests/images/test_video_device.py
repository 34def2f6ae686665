"""A V4L2 device: the requests as the kernel defines them, answered by a stand-in that plays recorded pictures."""
# ruff: noqa: D102, ARG002 - methods and parameters are those of the class that is replaced

import struct
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images.in_cluster import module

video_device = module("ros2bench_nodes.video_device")
video_formats = module("ros2bench_nodes.video_formats")
device_frames = module("ros2bench_nodes.device_frames")
encoding = module("ros2bench_nodes.encoding")
parameters = module("ros2bench_nodes.parameters")
DEVICE = Path("/dev/video0")
STREAMING = 0x04000001


class RecordedDevice:
    """Answers as a driver would; offsets are those of `offsetof` on linux/videodev2.h."""

    def __init__(self, pictures: list[bytes], form: bytes = b"YUYV", capabilities: int = STREAMING) -> None:
        self.pictures = deque(pictures)
        self.form = form
        self.capabilities = capabilities
        self.buffers = [bytearray(64) for _ in range(4)]
        self.queued: deque[int] = deque()
        self.flags = 0
        self.streaming = self.closed = self.gone = False

    def open(self, path: Path) -> int:
        if self.gone:
            raise FileNotFoundError(2, "No such file or directory")
        return 5

    def close(self, descriptor: int) -> None:
        self.closed = True

    def control(self, descriptor: int, request: int, argument: bytearray) -> None:
        if self.gone:
            raise OSError(19, "No such device")
        if request == 0x80685600:
            assert len(argument) == 104
            struct.pack_into("<II", argument, 84, 0x80000000, self.capabilities)
        elif request == 0xC0D05605:
            assert len(argument) == 208
            assert struct.unpack_from("<I", argument, 0) == (1,)
            struct.pack_into("<II4s", argument, 8, 4, 2, self.form)
            struct.pack_into("<I", argument, 24, 8)
        elif request == 0xC0145608:
            assert struct.unpack_from("<III", argument) == (4, 1, 1)
            struct.pack_into("<I", argument, 0, 2)
        elif request == 0xC0585609:
            (index,) = struct.unpack_from("<I", argument)
            struct.pack_into("<I", argument, 64, 4096 * index)
            struct.pack_into("<I", argument, 72, 64)
        elif request == 0xC058560F:
            assert struct.unpack_from("<II", argument)[1] == 1
            assert struct.unpack_from("<I", argument, 60) == (1,)
            self.queued.append(struct.unpack_from("<I", argument)[0])
        elif request == 0xC0585611:
            index, picture = self.queued.popleft(), self.pictures.popleft()
            self.buffers[index][: len(picture)] = picture
            struct.pack_into("<IIII", argument, 0, index, 1, len(picture), self.flags)
        else:
            assert request in {0x40045612, 0x40045613}
            self.streaming = request == 0x40045612

    def map(self, descriptor: int, length: int, offset: int) -> Any:
        assert length == 64
        device, index = self, offset // 4096

        class Mapped:
            def __getitem__(self, part: slice) -> bytes:
                return bytes(device.buffers[index][part])

            def close(self) -> None:
                pass

        return Mapped()

    def wait(self, descriptor: int, limit_s: float) -> bool:
        if not self.pictures:
            time.sleep(0.002)
        return bool(self.pictures) or self.gone


def test_pictures_arrive_in_order_and_buffers_go_back() -> None:
    pictures = [bytes([number] * 16) for number in range(5)]
    kernel = RecordedDevice(list(pictures))
    device = video_device.VideoDevice(DEVICE, 640, 480, kernel)
    assert kernel.streaming
    found = [device.next_picture(1.0) for _ in pictures]
    assert [picture.data for picture in found] == pictures
    assert (found[0].form, found[0].width_px, found[0].height_px, found[0].row_bytes) == (b"YUYV", 4, 2, 8)
    assert device.next_picture(0.0) is None
    device.close()
    device.close()
    assert not kernel.streaming
    assert kernel.closed


def test_a_damaged_picture_is_left_out() -> None:
    kernel = RecordedDevice([b"x" * 16, b"y" * 16])
    device = video_device.VideoDevice(DEVICE, 640, 480, kernel)
    kernel.flags = 0x40
    assert device.next_picture(1.0) is None
    kernel.flags = 0
    assert device.next_picture(1.0).data == b"y" * 16


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"capabilities": 0x1}, "no stream"), ({"capabilities": 0x04000000}, "no stream"), ({"form": b"H264"}, "YUYV")],
)
def test_a_device_that_cannot_be_used_is_refused_and_closed(changes: dict[str, Any], words: str) -> None:
    kernel = RecordedDevice([], **changes)
    with pytest.raises(parameters.ParameterError, match=f"'/dev/video0' but .*{words}.*give"):
        video_device.VideoDevice(DEVICE, 640, 480, kernel)
    assert kernel.closed


def test_a_machine_without_the_device_says_so(tmp_path: Path) -> None:
    with pytest.raises(parameters.ParameterError, match=r"cannot be opened \(No such file or directory\)"):
        video_device.VideoDevice(tmp_path / "video9", 640, 480)
    plain = tmp_path / "video0"
    plain.write_bytes(b"no device")
    with pytest.raises(parameters.ParameterError, match="refused a request"):
        video_device.VideoDevice(plain, 640, 480)


def test_yuyv_becomes_colours() -> None:
    white_black = bytes([235, 128, 16, 128])
    red = bytes([81, 90, 81, 240])
    frame = video_formats.decoded(white_black + red, b"YUYV", 2, 2, 4)
    assert frame[0].tolist() == [[255, 255, 255], [0, 0, 0]]
    assert np.allclose(frame[1], [[254, 0, 0]] * 2, atol=2)
    with pytest.raises(video_formats.PictureError, match="needs 8 bytes, the device delivered 7"):
        video_formats.decoded(b"1234567", b"YUYV", 2, 2, 4)


def test_padded_rows_are_cut() -> None:
    rows = b"".join(bytes([235, 128, 235, 128]) + b"\xff" * 4 for _ in range(2))
    assert video_formats.decoded(rows, b"YUYV", 2, 2, 8).min() == 255


def shown(picture: Any) -> Any:
    if picture.data[0] == 255:
        raise video_formats.PictureError("broken")
    return encoding.encoded(np.full((1, 1, 3), picture.data[0], np.uint8), "rgb8")


def test_a_frame_shows_the_newest_picture_until_it_is_old(capsys: pytest.CaptureFixture[str]) -> None:
    kernel = RecordedDevice([bytes([number] * 16) for number in (1, 2, 255)])
    now_s = [100.0]
    frames = device_frames.DeviceFrames(video_device.VideoDevice(DEVICE, 4, 2, kernel), shown, clock=lambda: now_s[0])
    assert frames.delivers(5.0)
    deadline_s = time.monotonic() + 5
    while kernel.pictures and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert list(frames.payload(0).data) == [2, 2, 2]
    assert frames.payload(1) is frames.payload(2)
    now_s[0] += 1.1
    assert frames.payload(3) is None
    frames.check()
    frames.close()
    assert kernel.closed
    assert "left out: broken" in capsys.readouterr().err


def test_a_device_that_is_pulled_out_is_no_silence() -> None:
    kernel = RecordedDevice([])
    frames = device_frames.DeviceFrames(video_device.VideoDevice(DEVICE, 4, 2, kernel), shown)
    kernel.gone = True
    assert not frames.delivers(5.0)
    with pytest.raises(RuntimeError, match="No such device"):
        frames.check()

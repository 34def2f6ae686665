"""How hard the reference application is driven: section `application.load`. Plain data."""

from typing import Annotated

from pydantic import Field

from stacks.section import Count, Section

PicturePx = Annotated[int, Field(ge=16, le=8192)]
InputPx = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
Threads = Annotated[int, Field(ge=1, le=256)]


class Load(Section):
    """How hard the application is driven. Equal load is what makes two runs comparable."""

    rate_hz: float = Field(default=10.0, gt=0, le=1000, description="Frames per second that the camera intends.")
    width_px: PicturePx = Field(default=640, description="Width of a frame.")
    height_px: PicturePx = Field(default=480, description="Height of a frame.")
    source: str = Field(
        default="pictures",
        pattern=r"^(pictures|synthetic|/.+)$",
        description="`pictures` (the real ones in the image), `synthetic`, or a folder in the image.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of the order of the pictures.")
    burst: Count = Field(default=1, description="Frames that the camera publishes back to back; the mean rate stays.")
    detector_input_width_px: InputPx = Field(default=320, description="Width to which the detector reduces a frame.")
    detector_input_height_px: InputPx = Field(default=224, description="Height to which the detector reduces a frame.")
    detector_score_threshold: float = Field(default=0.5, ge=0, le=1, description="Least score of a box that counts.")
    detector_threads: Threads = Field(default=1, description="Threads of the detector's inference.")
    detector_repeat: Count = Field(default=1, description="Inferences per frame: multiplies the detector's work.")
    trigger_period_s: float = Field(default=1.0, gt=0, le=3600, description="Time between two triggers of the reader.")
    reader_threads: Threads = Field(default=1, description="Threads of the reader's inference.")
    reader_max_boxes: Count = Field(default=8, description="Most boxes that the reader reads per trigger.")

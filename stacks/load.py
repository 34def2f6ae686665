"""How hard the reference application is driven: section `application.load`. Plain data."""

from typing import Annotated, Literal

from pydantic import Field

from stacks.section import Count, Section

PicturePx = Annotated[int, Field(ge=16, le=8192)]
InputPx = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
Threads = Annotated[int, Field(ge=1, le=256)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Model = Annotated[str, Field(pattern=r"^(pp-ocr|/.+)$")]
Delay = Annotated[float, Field(ge=0, le=60)]
MODEL = (
    "`pp-ocr`, or the path of an ONNX file in the container, for example of a volume or of a file of the node; one "
    "that ends in `.base64` is decoded"
)


class Load(Section):
    """How hard the application is driven. Equal load is what makes two runs comparable.

    The keys that begin with `fault` make a node do wrong on purpose, so that what measures it can be proved; they are
    off by default and part of the record.
    """

    streams: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Parallel cameras. With more than one the whole application is there as often: nodes `camera_1`, "
        "`detector_1` …, topics below `/stream_1` …, each placed by the pattern. Latency is reported for the first; "
        "the results of all are in the record's samples. Each stream has its own seed: `seed`, `seed` + 1 …",
    )

    rate_hz: float = Field(default=10.0, gt=0, le=1000, description="Frames per second that the camera intends.")
    width_px: PicturePx = Field(default=640, description="Width of a frame.")
    height_px: PicturePx = Field(default=480, description="Height of a frame.")
    source: str = Field(
        default="pictures",
        pattern=r"^(pictures|synthetic|/.+)$",
        description="`pictures` (the real ones in the image), `synthetic`, a folder in the container, or a video "
        "device (V4L2) that the container has, for example `/dev/video0`.",
    )
    encoding: Literal["rgb8", "bgr8", "mono8", "jpeg"] = Field(
        default="rgb8",
        description="How the pixels of a frame are encoded. `jpeg` is no encoding of sensor_msgs: the data of the "
        "image is then a JPEG file.",
    )
    seed: Seed = Field(default=0, description="Seed of the pictures: the same seed gives the same bytes.")
    burst: Count = Field(default=1, description="Frames that the camera publishes back to back; the mean rate stays.")
    detector_inference: Literal["onnx", "synthetic"] = Field(
        default="onnx",
        description="`onnx` runs a model. `synthetic` uses up `detectorCostS` of processor time and finds nothing.",
    )
    detector_model: Model = Field(
        default="pp-ocr", description=f"{MODEL}. Any model with one picture as its input; only `pp-ocr` finds boxes."
    )
    detector_cost_s: float = Field(
        default=0.02,
        gt=0,
        le=60,
        description="Processor time of one synthetic inference, by the thread's own clock; calibrated at the start.",
    )
    detector_input_width_px: InputPx = Field(
        default=320, description="Width to which the detector reduces a frame, unless its model says which."
    )
    detector_input_height_px: InputPx = Field(
        default=224, description="Height to which the detector reduces a frame, unless its model says which."
    )
    detector_score_threshold: float = Field(default=0.5, ge=0, le=1, description="Least score of a box that counts.")
    detector_threads: Threads = Field(default=1, description="Threads of the detector's inference.")
    detector_repeat: Count = Field(default=1, description="Inferences per frame: multiplies the detector's work.")
    trigger_period_s: float = Field(default=1.0, gt=0, le=3600, description="Time between two triggers of the reader.")
    reader_model: Model = Field(default="pp-ocr", description=f"{MODEL}. A text recognition of PP-OCR's kind.")
    reader_threads: Threads = Field(default=1, description="Threads of the reader's inference.")
    reader_max_boxes: Count = Field(default=8, description="Most boxes that the reader reads per trigger.")
    report_frames: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="The monitor prints, every so many results, a line of JSON with their frame numbers and times: "
        "what the application knows of its latency while no recorder is there. 0: never.",
    )
    fault_node: Literal["camera", "detector", "monitor"] = Field(
        default="monitor", description="Which node commits the faults below, in every stream."
    )
    fault_delays_s: list[Delay] = Field(
        default_factory=lambda: [0.0],
        min_length=1,
        max_length=100,
        description="How long it holds each message before it sends it; several take turns by frame number.",
    )
    fault_stall_s: Delay = Field(
        default=0.0, description="How long it holds the message of `faultStallFrame`, once; those behind it queue up."
    )
    fault_stall_frame: int = Field(default=0, ge=0, description="Number of the frame whose message stalls.")
    fault_drop_ratio: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the messages that it never sends: of each hundred frame numbers so many, drawn by "
        "`faultSeed`.",
    )
    fault_seed: Seed = Field(default=0, description="Seed of which messages are not sent.")

"""Topics of the reference application, relative to the namespace of its nodes."""

from rclpy.qos import QoSProfile, ReliabilityPolicy

STREAM_PREFIX = 'stream_'
FRAMES = 'frames'
DETECTIONS = 'detections'
READINGS = 'readings'
RESULTS = 'results'

# A frame is not sent twice; ten of them bridge a second in which the processor is busy elsewhere.
FRAMES_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
EVENTS_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def of_stream(topic: str, stream: int) -> str:
    """A topic of one of several streams; stream 0 is the only one and has no prefix."""
    return f'{STREAM_PREFIX}{stream}/{topic}' if stream else topic

"""What a stack tells its recorder is what the recorder in the image reads."""

from pathlib import Path

from components.perception import perception
from components.recorder import CAPTURES_FOLDER, CAPTURES_VOLUME, recorder_settings
from tests.images.in_cluster import module
from tests.support import values

configuration = module("ros2bench_recorder.configuration")


def test_the_recorder_reads_its_settings() -> None:
    topics = perception(values.load()).measured_topics()
    read = configuration.parse_configuration(recorder_settings(topics, 8080, values.OPERATOR))
    assert [topic.name for topic in read.topics] == [topic.name for topic in topics]
    assert read.captures_folder == Path(CAPTURES_FOLDER)


def test_samples_fit_into_the_volume_with_room_for_the_rest() -> None:
    settings = recorder_settings([], 8080, values.OPERATOR)
    size_bytes = int(CAPTURES_VOLUME["emptyDir"]["sizeLimit"].removesuffix("Mi")) * 1024 * 1024
    assert 0.9 * size_bytes < settings["captures"]["limit_bytes"] < 0.95 * size_bytes

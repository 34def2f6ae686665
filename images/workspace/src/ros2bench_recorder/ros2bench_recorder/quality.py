"""Quality of service of the recorder's subscriptions, and which publishers DDS refuses for it."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ros2bench_recorder.configuration import Topic

RELIABILITY = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}
DURABILITY = {
    'volatile': DurabilityPolicy.VOLATILE,
    'transient_local': DurabilityPolicy.TRANSIENT_LOCAL,
}


def quality(topic: Topic) -> QoSProfile:
    """Quality of service of the recorder's subscription."""
    return QoSProfile(
        depth=topic.depth,
        reliability=RELIABILITY[topic.reliability],
        durability=DURABILITY[topic.durability],
    )


def incompatible(offered: QoSProfile, topic: Topic) -> bool:
    """Whether DDS refuses a publisher because it offers less than the subscription asks for."""
    is_unreliable = offered.reliability == ReliabilityPolicy.BEST_EFFORT
    is_volatile = offered.durability == DurabilityPolicy.VOLATILE
    return (is_unreliable and topic.reliability == 'reliable') or (
        is_volatile and topic.durability == 'transient_local'
    )

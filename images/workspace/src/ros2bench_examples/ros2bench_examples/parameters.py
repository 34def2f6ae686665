"""What each example node may be told. Needs no ROS."""

from collections.abc import Mapping

from ros2bench_nodes.parameters import COMMON, Rule, not_negative, positive, text, whole

RULES: Mapping[str, Mapping[str, Rule]] = {
    'talker': {
        **COMMON,
        'rate_hz': positive(10.0),
        'text': text('hello', 'a text that is not empty'),
    },
    'listener': {**COMMON},
    'service_server': {**COMMON},
    'service_client': {**COMMON, 'rate_hz': positive(10.0)},
    'action_server': {**COMMON},
    'action_client': {
        **COMMON,
        'rate_hz': positive(1.0),
        'start': whole(5, 1, 1000),
        'period_s': positive(0.1),
    },
    'simulator': {
        **COMMON,
        'rate_hz': positive(50.0),
        'physics_rate_hz': positive(1000.0),
        'joints': whole(6, 1, 1000),
        'real_time_factor': positive(1.0),
    },
    'controller': {
        **COMMON,
        'amplitude_rad': positive(0.5),
        'period_s': positive(4.0),
        'stiffness': positive(40.0),
        'damping': positive(4.0),
    },
    'job_queue': {**COMMON, 'rate_hz': positive(5.0), 'capacity': whole(1000, 1, 1_000_000)},
    'worker': {
        **COMMON,
        'cost_s': positive(0.05),
        'wait_s': not_negative(0.0),
        'metrics_port': whole(0, 0, 65535),
    },
}

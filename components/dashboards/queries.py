"""Names of the series that the recorder exports: one definition for dashboards, alerts and records.

Plain strings: importing this module imports nothing.
"""

MESSAGES_TOTAL = "ros2bench_messages_total"
MESSAGES_LOST_TOTAL = "ros2bench_messages_lost_total"
MESSAGE_LATENCY_SECONDS = "ros2bench_message_latency_seconds"
RECORDER_CPU_SECONDS_TOTAL = "ros2bench_recorder_cpu_seconds_total"
TOPIC_LABEL = "topic"

"""Names of series and labels that several expressions use."""

MESSAGES_TOTAL = "ros2bench_messages_total"
MESSAGE_BYTES_TOTAL = "ros2bench_message_bytes_total"
MESSAGES_LOST_TOTAL = "ros2bench_messages_lost_total"
MESSAGES_LATE_TOTAL = "ros2bench_messages_late_total"
MESSAGE_LATENCY_SECONDS = "ros2bench_message_latency_seconds"
LAST_MESSAGE_TIMESTAMP_SECONDS = "ros2bench_topic_last_message_timestamp_seconds"
EXPECTED_RATE_HERTZ = "ros2bench_topic_expected_rate_hertz"
RECORDER_CPU_SECONDS_TOTAL = "ros2bench_recorder_cpu_seconds_total"
TOPIC_LABEL = "topic"

STACK = 'stack=~"$stack"'
TOPIC = 'stack=~"$stack",topic=~"$topic"'
MACHINE = 'machine=~"$machine"'

PODS_OF_APPLICATION = 'kube_pod_labels{stack=~"$stack",label_app_kubernetes_io_component="application"}'
DEPLOYMENTS_OF_APPLICATION = 'kube_deployment_labels{stack=~"$stack",label_app_kubernetes_io_component="application"}'
DEPLOYMENTS_OF_RECORDER = 'kube_deployment_labels{stack=~"$stack",label_app_kubernetes_io_component="recorder"}'

PATTERNS = 'group by (stack, pattern) (topk by (stack) (1, timestamp(up{job="recorder",stack=~"$stack"})))'
"""1 for each experiment, with the pattern that its pods are placed by.

One for each stack, that of the newest sample: a stack that is deployed again with another pattern has two for a while.
"""


def of_pods(counters: str) -> str:
    """Join containers' values, which machine readers know by the pod's UID, with the pod's names.

    Args:
        counters: Expression whose series have `pod_uid` and `machine`.
    """
    pods = f'label_replace(kube_pod_info{{{STACK}}}, "pod_uid", "$1", "uid", "(.+)")'
    # `$1` belongs to label_replace; the labels of the machine reader's own pod give way to those of the pod it read.
    return (
        f"sum by (stack, namespace, pod, machine) (sum by (pod_uid, machine) ({counters})"
        f" * on (pod_uid) group_left (stack, namespace, pod)"
        f" max by (pod_uid, stack, namespace, pod) ({pods}))"
    )

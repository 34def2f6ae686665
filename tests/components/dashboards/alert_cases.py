"""For every alert: series that make it hold and let it go, in promtool's notation, and when it must and must not fire.

A value list is `start+stepxN` (N steps after the first), `valuexN`, and `_xN` for samples that are absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

TOPIC = 'stack="a",pattern="m",topic="/results"'
POD = 'stack="a",namespace="ros2bench-a",pod="camera-1"'
READER = 'job="machine-reader",instance="r",stack="p",namespace="ros2bench-p-machines",pod="r",machine="edge"'
NODE = 'job="node-exporter",instance="n",stack="p",namespace="ros2bench-p",pod="n",machine="edge"'
CAMERA = 'stack="a",namespace="ros2bench-a",deployment="camera"'
APPLICATION = f'kube_deployment_labels{{{CAMERA},label_app_kubernetes_io_component="application"}}'
RECORDER = (
    'kube_deployment_labels{stack="a",namespace="ros2bench-a",deployment="recorder",'
    'label_app_kubernetes_io_component="recorder"}'
)
RECORDER_POD = (
    'kube_pod_labels{stack="a",namespace="ros2bench-a",pod="recorder-1",label_app_kubernetes_io_component="recorder"}'
)
APPLICATION_POD = f'kube_pod_labels{{{POD},label_app_kubernetes_io_component="application"}}'
OTHER_POD = APPLICATION_POD.replace("camera-1", "camera-2")
CREATED = f"kube_pod_created{{{POD}}}"
OTHER_CREATED = CREATED.replace("camera-1", "camera-2")
POD_INFO = f"kube_pod_info{{{POD}}}"
RESTARTS = f'kube_pod_container_status_restarts_total{{{POD},container="camera"}}'
BACK_OFF = f'kube_pod_container_status_waiting_reason{{{POD},container="camera",reason="CrashLoopBackOff"}}'
DETECTOR = 'job="application",instance="detector-1",stack="a",namespace="ros2bench-a",pod="detector-1"'
DETECTOR_DELETION = 'kube_pod_deletion_timestamp{stack="a",namespace="ros2bench-a",pod="detector-1",uid="u"}'
DISK = 'mountpoint="/machine-disk",fstype="ext4",device="d"'
LATENCY = "ros2bench_message_latency_seconds"
SILENT_FROM_20_TO_40 = "0+1x20 20+0x19 41+1x40"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One story of an alert.

    Attributes:
        alert: Its name.
        tells: What happens.
        series: Samples by series.
        expected: By time, how many alerts fire; a duration as Prometheus writes it.
        severity: Of the alerts that are counted.
        interval: Between samples and between evaluations.
    """

    alert: str
    tells: str
    series: Mapping[str, str]
    expected: Mapping[str, int]
    severity: str = ".+"
    interval: str = "1s"


CASES = (
    Case(
        alert="TopicSilent",
        tells="a topic of 10 Hz stops for 20 s: told within 15 s of the third silent second",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": SILENT_FROM_20_TO_40,
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x90",
            RECORDER: "1x90",
            APPLICATION: "1x90",
            APPLICATION_POD: "1x90",
            CREATED: "-600x90",
        },
        expected={"18s": 0, "24s": 0, "36s": 1, "54s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="a topic of one message in ten seconds may be silent for fifty",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": SILENT_FROM_20_TO_40,
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "0.1x90",
        },
        expected={"36s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="a parked stack is silent on purpose",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": SILENT_FROM_20_TO_40,
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x90",
            RECORDER: "1x90",
        },
        expected={"36s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="a stack is being parked: its Deployments wait for the last pod, whose silence is on purpose",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": SILENT_FROM_20_TO_40,
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x90",
            RECORDER: "1x90",
            APPLICATION: "1x90",
            f"kube_deployment_deletion_timestamp{{{CAMERA}}}": "_x20 20x20 _x50",
        },
        expected={"36s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="an application of one pod is scaled to 0, or a quota refuses the pod: nobody has parked it",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": SILENT_FROM_20_TO_40,
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x90",
            RECORDER: "1x90",
            APPLICATION: "1x90",
            RECORDER_POD: "1x90",
            APPLICATION_POD: "1x20 stale _x20 1x48",
            CREATED: "-600x20 stale _x20 -600x48",
        },
        expected={"18s": 0, "24s": 0, "36s": 1, "54s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="a stack was parked for 300 s and starts for 45 s: the recorder remembers the message before",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": "1x344 345+1x60",
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x405",
            RECORDER: "1x405",
            APPLICATION: "_x300 1x105",
            # A Deployment is there a moment before its pod.
            f"kube_deployment_created{{{CAMERA}}}": "_x300 300x105",
            APPLICATION_POD: "_x306 1x99",
            CREATED: "_x306 301x99",
        },
        expected={"4m57s": 0, "5m6s": 0, "5m15s": 0, "5m42s": 0, "6m30s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="it is still silent a minute after its start",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": "1x440 441+1x60",
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x501",
            RECORDER: "1x501",
            APPLICATION: "_x300 1x201",
            f"kube_deployment_created{{{CAMERA}}}": "_x300 300x201",
            APPLICATION_POD: "_x300 1x201",
            CREATED: "_x300 300x201",
        },
        expected={"5m57s": 0, "6m12s": 1, "7m36s": 0},
    ),
    Case(
        alert="TopicSilent",
        tells="a second pod of the application has only begun, and none of another stack counts",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": "300x400",
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x400",
            RECORDER: "1x400",
            APPLICATION: "1x400",
            APPLICATION_POD: "1x400",
            CREATED: "0x400",
            OTHER_POD: "_x300 1x30 stale _x69",
            OTHER_CREATED: "_x300 300x30 stale _x69",
            APPLICATION_POD.replace('stack="a"', 'stack="b"').replace("ros2bench-a", "ros2bench-b"): "1x400",
            CREATED.replace('stack="a"', 'stack="b"').replace("ros2bench-a", "ros2bench-b"): "330x400",
        },
        expected={"5m24s": 0, "5m39s": 1},
    ),
    Case(
        alert="TopicSilent",
        tells="without kube-state-metrics nobody knows that it is parked",
        series={
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": SILENT_FROM_20_TO_40,
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x90",
        },
        expected={"36s": 1, "54s": 0},
    ),
    Case(
        alert="TopicNeverHeard",
        tells="all pods are Ready, and nothing is heard until the 30th second",
        series={
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x60",
            f"ros2bench_topic_last_message_timestamp_seconds{{{TOPIC}}}": "_x30 30+1x30",
            APPLICATION_POD: "1x60",
            f'kube_pod_status_ready{{{POD},condition="true"}}': "1x60",
        },
        expected={"9s": 0, "21s": 1, "36s": 0},
    ),
    Case(
        alert="TopicNeverHeard",
        tells="a pod is not Ready yet",
        series={
            f"ros2bench_topic_expected_rate_hertz{{{TOPIC}}}": "10x60",
            APPLICATION_POD: "1x60",
            f'kube_pod_status_ready{{{POD},condition="true"}}': "0x60",
        },
        expected={"30s": 0},
    ),
    Case(
        alert="MessagesLost",
        tells="one message of eleven is lost for a minute",
        series={
            f"ros2bench_messages_total{{{TOPIC}}}": "0+10x240",
            f"ros2bench_messages_lost_total{{{TOPIC}}}": "0x60 1+1x60 61x120",
        },
        expected={"57s": 0, "81s": 1, "201s": 0},
    ),
    Case(
        alert="LatencyObjectiveBurning",
        tells="all messages are late for 400 s: somebody is called at once",
        series={
            f'{LATENCY}_bucket{{{TOPIC},le="0.2"}}': "0+10x60 600x400 610+10x700",
            f"{LATENCY}_count{{{TOPIC}}}": "0+10x1200",
        },
        expected={"60s": 0, "2m30s": 1, "8m20s": 0},
        severity="critical",
    ),
    Case(
        alert="LatencyObjectiveBurning",
        tells="the slow window holds on for five minutes",
        series={
            f'{LATENCY}_bucket{{{TOPIC},le="0.2"}}': "0+10x60 600x400 610+10x700",
            f"{LATENCY}_count{{{TOPIC}}}": "0+10x1200",
        },
        expected={"60s": 0, "2m30s": 1, "8m20s": 1, "13m": 0},
        severity="warning",
    ),
    Case(
        alert="LatencyObjectiveBurning",
        tells="one message of a hundred may be late",
        series={
            f'{LATENCY}_bucket{{{TOPIC},le="0.2"}}': "0+99x300",
            f"{LATENCY}_count{{{TOPIC}}}": "0+100x300",
        },
        expected={"4m": 0},
    ),
    Case(
        alert="RestartStorm",
        tells="three restarts within ten minutes",
        series={
            RESTARTS: "0x9 1x9 2x9 3x700",
            POD_INFO: "1x730",
        },
        expected={"27s": 0, "36s": 1, "11m": 0},
    ),
    Case(
        alert="RestartStorm",
        tells="the pod that was restarted is deleted, and nothing of it is left",
        series={
            RESTARTS: "0x9 1x9 2x9 3x30 stale",
            POD_INFO: "1x60 stale",
        },
        expected={"27s": 0, "36s": 1, "1m12s": 0},
    ),
    Case(
        alert="RestartStorm",
        tells="a crash loop goes on, its restarts being rare by now",
        series={
            RESTARTS: "7x600",
            BACK_OFF: "_x20 1x20 stale",
            POD_INFO: "1x600",
        },
        expected={"18s": 0, "30s": 1, "6m30s": 1, "6m51s": 0},
    ),
    Case(
        alert="RestartStorm",
        tells="a crash loop whose container runs for a moment every five minutes is one storm, not many",
        series={
            RESTARTS: "7x340 8x340 9x300",
            BACK_OFF: "_x20 1x300 stale _x20 1x300 stale _x20 1x100",
            POD_INFO: "1x1000",
        },
        expected={"18s": 0, "30s": 1, "5m30s": 1, "10m45s": 1, "12m": 1},
    ),
    Case(
        alert="RestartStorm",
        tells="a pod in a crash loop is deleted",
        series={
            RESTARTS: "7x60 stale",
            BACK_OFF: "_x20 1x40 stale",
            POD_INFO: "1x60 stale",
        },
        expected={"18s": 0, "30s": 1, "1m12s": 0},
    ),
    Case(
        alert="MachineGone",
        tells="both exporters of a machine are silent",
        series={f"up{{{READER}}}": "1x20 0x20 1x20", f"up{{{NODE}}}": "1x20 0x20 1x20"},
        expected={"18s": 0, "24s": 0, "36s": 1, "45s": 0},
    ),
    Case(
        alert="MachineGone",
        tells="one exporter alone says nothing of the machine",
        series={f"up{{{READER}}}": "0x60", f"up{{{NODE}}}": "1x60"},
        expected={"30s": 0},
    ),
    Case(
        alert="MachineGone",
        tells="it is still gone after twenty minutes",
        series={f"up{{{READER}}}": "1x20 0x1300", f"up{{{NODE}}}": "1x20 0x1300"},
        expected={"20m": 1},
    ),
    Case(
        alert="MachineGone",
        tells="exporters of a new machine start",
        series={f"up{{{READER}}}": "0x12 1x20", f"up{{{NODE}}}": "0x12 1x20"},
        expected={"3s": 0, "12s": 0},
    ),
    Case(
        alert="MachineGone",
        tells="Kubernetes calls it not Ready",
        series={
            'kube_node_status_condition{node="edge",machine="edge",condition="Ready",status="true"}': "1x20 0x20 1x20"
        },
        expected={"18s": 0, "30s": 1, "45s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="a recorder does not answer",
        series={'up{job="recorder",instance="recorder-1",stack="a"}': "1x20 0x20 1x20"},
        expected={"18s": 0, "24s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="a recorder starts: eleven seconds without an answer are its own",
        series={'up{job="recorder",instance="recorder-1",stack="a"}': "0x10 1x40"},
        expected={"3s": 0, "9s": 0, "15s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="an exporter that never answers is told of, too",
        series={'up{job="recorder",instance="recorder-1",stack="a"}': "0x60"},
        expected={"9s": 0, "15s": 1},
    ),
    Case(
        alert="ExporterDown",
        tells="a pod of the application with metrics does not answer",
        series={f"up{{{DETECTOR}}}": "1x20 0x20 1x20"},
        expected={"18s": 0, "24s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="a pod of the application starts, and later it is removed",
        series={f"up{{{DETECTOR}}}": "0x10 1x20 0x4 stale _x40"},
        expected={"3s": 0, "9s": 0, "15s": 0, "36s": 0, "39s": 0, "48s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="a program of the platform does not answer",
        series={'up{job="platform",instance="alertmanager-1",stack="p"}': "1x20 0x20 1x20"},
        expected={"18s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="a pod of the application is deleted and takes its time, then it is gone",
        series={
            f"up{{{DETECTOR}}}": "1x20 0x30 stale",
            # The time at which it is to be gone.
            DETECTOR_DELETION: "_x20 50x30 stale",
        },
        expected={"18s": 0, "33s": 0, "48s": 0, "57s": 0},
    ),
    Case(
        alert="ExporterDown",
        tells="a pod that should have been gone a minute ago is told of: its machine does not end it",
        series={
            f"up{{{DETECTOR}}}": "1x20 0x150",
            DETECTOR_DELETION: "_x20 50x150",
        },
        expected={"1m45s": 0, "1m57s": 1},
    ),
    Case(
        alert="ClockOffset",
        tells="a clock is a second ahead",
        series={
            f"node_time_seconds{{{NODE}}}": "0+1x20 22+1x20 42+1x20",
            f"scrape_duration_seconds{{{NODE}}}": "0.02x60",
        },
        expected={"18s": 0, "30s": 1, "51s": 0},
    ),
    Case(
        alert="ClockOffset",
        tells="a slow scrape is no offset",
        series={
            f"node_time_seconds{{{NODE}}}": "0.8+1x60",
            f"scrape_duration_seconds{{{NODE}}}": "0.9x60",
        },
        expected={"30s": 0},
    ),
    Case(
        alert="DiskFilling",
        tells="a disk fills and is cleared",
        series={
            f"node_filesystem_avail_bytes{{{NODE},{DISK}}}": "50x20 5x20 50x20",
            f"node_filesystem_size_bytes{{{NODE},{DISK}}}": "100x60",
        },
        expected={"18s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="DiskFilling",
        tells="the kubelet evicts",
        series={
            'kube_node_status_condition{node="edge",machine="edge",condition="DiskPressure",status="true"}': (
                "0x20 1x20 0x20"
            )
        },
        expected={"18s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="GpuHot",
        tells="a GPU becomes hot and cools",
        series={f'ros2bench_machine_gpu_temperature_celsius{{{READER},gpu="gpu0"}}': "60x20 90x20 60x20"},
        expected={"18s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="GpuHot",
        tells="only a sensor tells it",
        series={f'ros2bench_machine_temperature_celsius{{{READER},sensor="GPU-thermal"}}': "60x20 90x20 60x20"},
        expected={"18s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="GpuThrottled",
        tells="a GPU is held back",
        series={f'ros2bench_machine_gpu_throttled{{{READER},gpu="gpu0"}}': "0x20 1x20 0x20"},
        expected={"18s": 0, "33s": 1, "45s": 0},
    ),
    Case(
        alert="PowerBudgetExceeded",
        tells="40 W for 40 s where the machine allows 30",
        series={
            f'ros2bench_machine_energy_joules_total{{{READER},rail="VDD_IN",is_total="true"}}': (
                "0+20x20 440+40x39 2020+20x60"
            ),
            f'ros2bench_machine_energy_covered_seconds_total{{{READER},rail="VDD_IN",is_total="true"}}': "0+1x120",
            f'ros2bench_machine_power_limit_watts{{{READER},rail="VDD_IN"}}': "30x120",
        },
        expected={"18s": 0, "51s": 1, "1m30s": 0},
    ),
    Case(
        alert="PowerBudgetExceeded",
        tells="60 W for 40 s where the stack file allows 55",
        series={
            f'ros2bench_machine_energy_joules_total{{{READER},rail="VDD_IN",is_total="true"}}': (
                "0+20x20 460+60x39 2820+20x60"
            ),
            f'ros2bench_machine_energy_covered_seconds_total{{{READER},rail="VDD_IN",is_total="true"}}': "0+1x120",
        },
        expected={"18s": 0, "51s": 1, "1m30s": 0},
    ),
    Case(
        alert="BackupMissed",
        tells="27 hours without a backup, then one",
        series={
            'kube_cronjob_status_last_successful_time{stack="p",namespace="ros2bench-p",cronjob="nightly-backup"}': (
                "0x162 97800x12"
            )
        },
        expected={"25h": 0, "27h": 1, "28h": 0},
        interval="10m",
    ),
    Case(
        alert="BackupMissed",
        tells="a backup that never was, until it was",
        series={
            'kube_cronjob_created{stack="p",namespace="ros2bench-p",cronjob="nightly-backup"}': "0x180",
            'kube_cronjob_status_last_successful_time{stack="p",namespace="ros2bench-p",cronjob="nightly-backup"}': (
                "_x163 97800x12"
            ),
        },
        expected={"25h": 0, "27h": 1, "28h": 0},
        interval="10m",
    ),
    Case(
        alert="CertificateEnding",
        tells="a certificate that a blackbox exporter sees comes within two weeks and is renewed",
        series={'probe_ssl_earliest_cert_expiry{instance="https://registry"}': "1209900x2 9999999x6"},
        expected={"0s": 0, "10m": 1, "40m": 0},
        interval="10m",
    ),
    Case(
        alert="CertificateEnding",
        tells="a certificate of cert-manager",
        series={'certmanager_certificate_expiration_timestamp_seconds{name="web"}': "1209900x2 9999999x6"},
        expected={"0s": 0, "10m": 1, "40m": 0},
        interval="10m",
    ),
)
"""Two stories or more where an alert has two reasons, and some in which it must keep quiet."""

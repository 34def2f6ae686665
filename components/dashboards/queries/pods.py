"""Life of pods as the API server tells it (kube-state-metrics). Labels: stack, namespace, pod."""

from components.dashboards.queries.names import DEPLOYMENTS_OF_APPLICATION, PODS_OF_APPLICATION, STACK
from components.dashboards.query import Query
from components.dashboards.units import Unit

BY = "stack, namespace, pod"
BACKUPS = 'cronjob=~".*backup.*"'
OF_POD = "{{stack}} {{pod}}"
RESTARTS = f"kube_pod_container_status_restarts_total{{{STACK}}}"
BACK_OFF_WINDOW = "6m"
"""Longer than the longest back-off of the kubelet, 5 min: between two of them a container runs for a moment."""
WHOLE_SECONDS = "The API server tells whole seconds; records have the same to ten milliseconds or less."


def _between(later: str, earlier: str) -> str:
    return f"max by ({BY}) ({later}{{{STACK}}}) - max by ({BY}) ({earlier}{{{STACK}}})"


pods_by_phase = Query(
    name="pods_by_phase",
    expression=f"sum by (stack, phase) (kube_pod_status_phase{{{STACK}}})",
    unit=Unit.COUNT,
    legend="{{stack}} {{phase}}",
    description="Pods in each phase.",
)
pods_ready = Query(
    name="pods_ready",
    expression=f'sum by (stack) (kube_pod_status_ready{{{STACK},condition="true"}})',
    unit=Unit.COUNT,
    legend="{{stack}} ready",
    description="Pods that are Ready.",
)
pods_not_ready = Query(
    name="pods_not_ready",
    expression=f'sum by (stack) (kube_pod_status_ready{{{STACK},condition=~"false|unknown"}})',
    unit=Unit.COUNT,
    legend="{{stack}} not ready",
    description="Pods that are not Ready.",
)
application_ready = Query(
    name="application_ready",
    expression=f'min by (stack) (max by ({BY}) (kube_pod_status_ready{{{STACK},condition="true"}}) '
    f"and on (namespace, pod) {PODS_OF_APPLICATION})",
    unit=Unit.COUNT,
    legend="{{stack}}",
    description="1 where every pod of the application is Ready, 0 where one is not; nothing while it is parked.",
)
restarts = Query(
    name="restarts",
    expression=f"sum by ({BY}) (max_over_time({RESTARTS}[$window]) - min_over_time({RESTARTS}[$window]))",
    unit=Unit.COUNT,
    legend=OF_POD,
    description="Restarts of containers within the window, counted exactly.",
)
restarts_last_hour = Query(
    name="restarts_last_hour",
    expression=f"sum by (stack) (max_over_time({RESTARTS}[1h]) - min_over_time({RESTARTS}[1h]))",
    unit=Unit.COUNT,
    legend="{{stack}}",
    description="Restarts of containers within the last hour.",
)
crash_looping = Query(
    name="crash_looping",
    # Restarts are of now: of a pod that was deleted nothing is left.
    expression=f"max by ({BY}) (max_over_time(kube_pod_container_status_waiting_reason"
    f'{{{STACK},reason="CrashLoopBackOff"}}[{BACK_OFF_WINDOW}])) > 0 and on ({BY}) max by ({BY}) ({RESTARTS}) >= 3',
    unit=Unit.COUNT,
    legend=OF_POD,
    description="Pods with a container that waits to be started again after three restarts or more, or has waited "
    f"within the last {BACK_OFF_WINDOW}.",
)
waiting = Query(
    name="waiting",
    expression=f"sum by ({BY}, reason) (kube_pod_container_status_waiting_reason{{{STACK}}}) > 0",
    unit=Unit.COUNT,
    legend=f"{OF_POD} {{{{reason}}}}",
    description="Containers that do not run, and why.",
)
last_ended = Query(
    name="last_ended",
    expression=f"sum by ({BY}, reason) (kube_pod_container_status_last_terminated_reason{{{STACK}}}) > 0",
    unit=Unit.COUNT,
    legend=f"{OF_POD} {{{{reason}}}}",
    description="Why a container that was restarted ended before.",
)
time_to_schedule = Query(
    name="time_to_schedule",
    expression=_between("kube_pod_status_scheduled_time", "kube_pod_created"),
    unit=Unit.SECONDS,
    legend=OF_POD,
    description=f"From the pod's creation until it has a machine. {WHOLE_SECONDS}",
)
time_to_initialise = Query(
    name="time_to_initialise",
    expression=_between("kube_pod_status_initialized_time", "kube_pod_status_scheduled_time"),
    unit=Unit.SECONDS,
    legend=OF_POD,
    description=f"From the machine's choice until its init containers have ended. {WHOLE_SECONDS}",
)
time_to_ready = Query(
    name="time_to_ready",
    expression=_between("kube_pod_status_ready_time", "kube_pod_created"),
    unit=Unit.SECONDS,
    legend=OF_POD,
    description=f"From the pod's creation until it was last Ready. {WHOLE_SECONDS}",
)
application_start = Query(
    name="application_start",
    expression=f"max by (stack) ((max by ({BY}) (kube_pod_status_ready_time{{{STACK}}}) "
    f"- max by ({BY}) (kube_pod_created{{{STACK}}})) and on (namespace, pod) {PODS_OF_APPLICATION})",
    unit=Unit.SECONDS,
    legend="{{stack}}",
    description=f"From creation until Ready of the slowest pod of the application. {WHOLE_SECONDS}",
)
application_age = Query(
    name="application_age",
    # A Deployment is there a moment before its pods.
    expression=f"time() - max by (stack) ((kube_pod_created{{{STACK}}} and on (namespace, pod) {PODS_OF_APPLICATION}) "
    f"or (kube_deployment_created{{{STACK}}} and on (namespace, deployment) {DEPLOYMENTS_OF_APPLICATION}))",
    unit=Unit.SECONDS,
    legend="{{stack}}",
    description="Time since the youngest pod or Deployment of the application was created.",
)
pod_age = Query(
    name="pod_age",
    expression=f"time() - max by ({BY}) (kube_pod_start_time{{{STACK}}})",
    unit=Unit.SECONDS,
    legend=OF_POD,
    description="Time since the machine took the pod on.",
)
backup_age = Query(
    name="backup_age",
    expression=f"time() - max by (stack, namespace, cronjob) (kube_cronjob_status_last_successful_time{{{BACKUPS}}})",
    unit=Unit.SECONDS,
    legend="{{namespace}} {{cronjob}}",
    description="Time since a CronJob with `backup` in its name last succeeded.",
)
backup_never = Query(
    name="backup_never",
    expression=f"time() - max by (stack, namespace, cronjob) (kube_cronjob_created{{{BACKUPS}}}) "
    "unless on (namespace, cronjob) kube_cronjob_status_last_successful_time",
    unit=Unit.SECONDS,
    legend="{{namespace}} {{cronjob}}",
    description="Age of a CronJob with `backup` in its name that has never succeeded.",
)

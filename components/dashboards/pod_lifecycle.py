"""Dashboard of the life of pods: phases, readiness, how long each stage took, restarts and why."""

from components.dashboards.needs import RUNNING, STATE_METRICS, TROUBLE
from components.dashboards.panel import Dashboard, Panel, Row, lines, numbers
from components.dashboards.queries import pods


def phases() -> Panel:
    """Pods in each phase."""
    return lines("Pods by phase", pods.pods_by_phase, needs=(STATE_METRICS,))


def readiness() -> Panel:
    """Pods that are Ready and that are not."""
    return lines("Readiness", pods.pods_ready, pods.pods_not_ready, needs=(STATE_METRICS,))


def scheduling() -> Panel:
    """Until a pod has a machine."""
    return numbers("Created to scheduled", pods.time_to_schedule, needs=(STATE_METRICS,), width=8)


def initialising() -> Panel:
    """Until init containers have ended."""
    return numbers("Scheduled to initialised", pods.time_to_initialise, needs=(STATE_METRICS,), width=8)


def becoming_ready() -> Panel:
    """Until a pod is Ready."""
    return numbers("Created to Ready", pods.time_to_ready, needs=(STATE_METRICS,), width=8)


def application_start() -> Panel:
    """The slowest pod of the application."""
    return numbers("Application: created to Ready", pods.application_start, needs=(STATE_METRICS, RUNNING))


def ages() -> Panel:
    """How old pods are: a step down is a new pod."""
    return lines("Age", pods.pod_age, needs=(STATE_METRICS,), width=18)


def restarts() -> Panel:
    """Restarts within the window."""
    return lines("Restarts", pods.restarts, needs=(STATE_METRICS,))


def waiting() -> Panel:
    """Containers that do not run."""
    return lines("Waiting, and why", pods.waiting, needs=(STATE_METRICS, TROUBLE))


def ended() -> Panel:
    """Why restarted containers ended."""
    return lines("Ended before, and why", pods.last_ended, needs=(STATE_METRICS, TROUBLE), width=24)


DASHBOARD = Dashboard(
    name="pod-lifecycle",
    title="Pod lifecycle",
    description="From creation to Ready, and what goes wrong after.",
    rows=(
        Row("Now", (phases(), readiness())),
        Row("Start", (scheduling(), initialising(), becoming_ready(), application_start(), ages())),
        Row("Trouble", (restarts(), waiting(), ended())),
    ),
)

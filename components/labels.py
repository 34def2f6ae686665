"""Labels by which people, policies and probes find what a stack created."""

PART_OF = "ros2bench"
STACK = "ros2bench/stack"
COMPONENT = "app.kubernetes.io/component"

Labels = dict[str, str]


def common(stack: str) -> Labels:
    """Labels of every object of a stack, its namespace included."""
    return {
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
        "app.kubernetes.io/instance": stack,
        STACK: stack,
    }


def labels(stack: str, *, name: str, component: str) -> Labels:
    """Labels of one object.

    Args:
        stack: Name of the stack.
        name: What it is, for example the pod's name in the placement.
        component: Its role: application, recorder, discovery, network or namespace.
    """
    return {**common(stack), "app.kubernetes.io/name": name, COMPONENT: component}


def selector(stack: str, *, component: str, name: str | None = None) -> Labels:
    """Labels that select the pods of one role, or of one name in it; never changed after creation."""
    by_role = {STACK: stack, COMPONENT: component}
    return by_role if name is None else {**by_role, "app.kubernetes.io/name": name}

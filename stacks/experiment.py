"""Program of an experiment: one application in one pattern, its recorder, and the namespace that holds both.

`state: parked` is everything but the application, so that an install is parked → running with the recorder already
listening. A first `up` starts everything at once: our images wait for the names that they need, other images are
started when who answers to those names is ready.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components import graph, labels, master, recorder, secrets, storage, workload
from components.cluster import Cluster
from components.deployment import Scheduling
from components.namespace import Namespace
from components.refusal import Refusal, choices
from stacks import application, contract, gpu, metrics, network, telemetry
from stacks.outputs import StackOutputs
from stacks.plan import Plan
from stacks.platform import namespace_name, shared_namespace_name

Secrets = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Deployed:
    """What an experiment is made of: its contract, known once the cluster has said which one it is, and where it is."""

    contract: pulumi.Output[StackOutputs]
    namespace: Namespace


def deploy(decided: Plan, cluster: Cluster, secret_values: Secrets) -> Deployed:
    """Register the experiment's resources.

    Args:
        decided: What to deploy.
        cluster: Where.
        secret_values: The stack's encrypted configuration, by key.
    """
    spec = decided.spec
    opts = pulumi.ResourceOptions(provider=cluster.provider)
    pattern = spec.pattern or decided.stack
    namespace = Namespace(
        "namespace", network.namespace_args(decided.stack, namespace_name(decided.stack), spec.network, pattern), opts
    )
    near_machine = Scheduling(node_selector=spec.placement.recorder_node_selector)
    images = decided.images()
    joined = network.join(
        network.Surroundings(
            network=spec.network,
            pods=decided.pods,
            image=images[decided.deployed.images.recorder],
            resources=spec.resources.discovery.asked(),
            scheduling=near_machine,
            master_image=images[master.IMAGE_ROLE] if decided.deployed.master else None,
            recorded=decided.has_recorder(),
            traces=telemetry.traces(spec, shared_namespace_name(decided.stack, spec)),
        ),
        namespace,
        opts,
    )
    if decided.has_recorder():
        recorder.Recorder(
            "recorder",
            recorder.RecorderArgs(
                namespace=namespace,
                image=images[decided.deployed.images.recorder],
                topics=decided.deployed.measured_topics(),
                operator=decided.lock.operator_key(),
                participant=joined.recorder,
                resources=spec.resources.recorder.asked(),
                scheduling=near_machine,
                nodes=metrics.expected_nodes(decided.deployed),
                mappings=decided.mappings,
                depends_on=joined.policies,
            ),
            opts,
        )
    quota = gpu.deploy_quota(spec, namespace, opts)
    claims = storage.wanted_claims(decided.deployed.nodes)
    kept = storage.Storage("storage", claims, namespace, opts).claims if claims else {}
    if spec.state == "running":
        _application(decided, namespace, joined, Found(kept, secret_values, quota), opts)
    described = cluster.uid.apply(
        lambda uid: contract.experiment(decided, cluster_uid=uid, recorder_port=joined.recorder.health_port)
    )
    return Deployed(described, namespace)


@dataclass(frozen=True)
class Found:
    """What the application's pods find when they start."""

    claims: Mapping[str, pulumi.Input[str]]
    secret_values: Secrets
    quota: tuple[pulumi.Resource, ...] = ()


def _application(
    decided: Plan,
    namespace: Namespace,
    joined: network.Joined,
    found: Found,
    opts: pulumi.ResourceOptions,
) -> None:
    placement = decided.spec.placement
    measured = bool(decided.deployed.measured_topics())
    recorder_pods = labels.selector(decided.stack, component=recorder.COMPONENT)
    scheduling = Scheduling(
        near=recorder_pods if placement.near_recorder and measured else {}, node_selector=placement.node_selector
    )
    secret = None
    if keys := application.secret_keys(decided.deployed):
        chosen = {key: _secret_value(decided.stack, key, found.secret_values) for key in keys}
        secret = secrets.Secrets("secrets", chosen, namespace, opts).created_name
    for pod in decided.pods:
        workload.Workload(
            pod.name,
            workload.WorkloadArgs(
                pod=pod,
                namespace=namespace,
                images=decided.images(),
                participant=joined.pods[pod.name],
                scheduling=scheduling,
                delivery=decided.delivery,
                composition=decided.composition(pod),
                claims=found.claims,
                secret=secret,
                raw=decided.spec.kubernetes.get(pod.name, {}),
                recommendations=decided.spec.autoscaling.recommendations,
                depends_on=(
                    *joined.policies,
                    *found.quota,
                    *(() if waits_for_names(decided, pod) else joined.before),
                ),
            ),
            opts,
        )


def waits_for_names(decided: Plan, pod: graph.Pod) -> bool:
    """Tell whether a pod may start before the names of its network exist: it has our entry point, which asks again."""
    is_changed_by_hand = pod.name in decided.spec.kubernetes
    return decided.lock.holds(pod.container.image) and not is_changed_by_hand and not decided.deployed.master


def _secret_value(stack: str, key: str, values: Secrets) -> pulumi.Input[str]:
    if key not in values:
        raise Refusal(
            f"Pulumi.{stack}.yaml: config.ros2bench:secrets has no {key}, which application.nodes wants. "
            f"{choices(key, values)} Set it: pulumi config set -s {stack} --secret --path ros2bench:secrets.{key}"
        )
    return values[key]

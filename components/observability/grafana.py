"""Grafana: the dashboards of components/dashboards in a browser, from our Prometheus, for nobody without a password.

It is reached through the API server (`kubectl port-forward`). What people change in the browser ends with its pod: the
dashboards are code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import labels, manifest, policies
from components.configuration import configuration
from components.graph import Resources
from components.namespace import Namespace
from components.observability import prometheus
from components.program import METRICS, Health, Program, deployment_manifest, service_manifest

COMPONENT = "grafana"
IMAGE = "grafana"
PORT = 3000
FOLDER = "ros2bench"
"""Folder of the dashboards in Grafana."""
DASHBOARDS_FOLDER = "/var/lib/grafana-dashboards"
PROVISIONING = "/etc/grafana/provisioning"
SECRET_FOLDER = "/etc/grafana-admin"  # noqa: S105 - a folder
PASSWORD = "password"  # noqa: S105 - name of an entry
DATA_FOLDER = "/var/lib/grafana"
DATASOURCE = "prometheus"
"""Identifier of the data source, which dashboards name."""
RESOURCES = Resources(cpu_request_millicores=25, memory_request_mebibytes=96, memory_limit_mebibytes=384)
SETTINGS: Mapping[str, str] = {
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_AUTH_ANONYMOUS_ENABLED": "false",
    "GF_LOG_CONSOLE_FORMAT": "json",
    "GF_LOG_MODE": "console",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_PATHS_DATA": DATA_FOLDER,
    "GF_PATHS_LOGS": f"{DATA_FOLDER}/log",
    "GF_PATHS_PLUGINS": f"{DATA_FOLDER}/plugins",
    "GF_PATHS_PROVISIONING": PROVISIONING,
    "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRET_FOLDER}/{PASSWORD}",
    "GF_SECURITY_DISABLE_GRAVATAR": "true",
    "GF_SERVER_HTTP_PORT": str(PORT),
    "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    "HOME": DATA_FOLDER,
}
"""Settings by variable: nobody comes in without a password, and nothing is told to anybody outside."""


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """What it shows, and to whom. `dashboards` are JSON texts by name; `password` is that of `admin`."""

    namespace: Namespace
    image: str
    dashboards: Mapping[str, str]
    password: pulumi.Input[str]


class Grafana(pulumi.ComponentResource):
    """Deployment of Grafana with its data source, dashboards and the Secret of its administrator."""

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Grafana", name, None, opts)
        namespace = args.namespace
        secret = manifest.create(
            COMPONENT,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": namespace.metadata(name=COMPONENT, component=COMPONENT),
                "immutable": True,
                "stringData": {PASSWORD: pulumi.Output.secret(args.password)},
            },
            namespace.options(self),
        )
        provisioned = configuration(COMPONENT, provisioning(), namespace=namespace, component=COMPONENT, parent=self)
        # A ConfigMap holds a mebibyte, so each dashboard has one of its own.
        shown = {
            name: configuration(
                f"{COMPONENT}-{name}", {f"{name}.json": text}, namespace=namespace, component=COMPONENT, parent=self
            )
            for name, text in args.dashboards.items()
        }
        made = policies.create(policy_specs(namespace.stack), namespace, self)
        runs = program(args.image, manifest.created_name(secret), provisioned, shown)
        manifest.create(COMPONENT, service_manifest(namespace, runs), namespace.options(self))
        metadata = namespace.metadata(name=COMPONENT, component=COMPONENT)
        deployed = deployment_manifest(metadata, namespace.stack, runs)
        self.deployment = namespace.deploy(COMPONENT, deployed, self, depends_on=made)
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})


def provisioning() -> dict[str, str]:
    """Files by which Grafana knows its data source and its dashboards; JSON is YAML."""
    source: dict[str, Any] = {
        "name": "Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": f"http://{prometheus.COMPONENT}:{prometheus.PORT}",
        "isDefault": True,
        "editable": False,
        "jsonData": {"httpMethod": "POST", "timeInterval": "1s"},
    }
    provider: dict[str, Any] = {
        "name": FOLDER,
        "folder": FOLDER,
        "type": "file",
        "allowUiUpdates": False,
        "disableDeletion": True,
        "options": {"path": DASHBOARDS_FOLDER},
    }
    return {
        "datasources.yaml": json.dumps({"apiVersion": 1, "datasources": [source]}, indent=1) + "\n",
        "dashboards.yaml": json.dumps({"apiVersion": 1, "providers": [provider]}, indent=1) + "\n",
    }


def program(
    image: str, secret: pulumi.Input[str], provisioned: pulumi.Input[str], shown: Mapping[str, pulumi.Input[str]]
) -> Program:
    """Grafana as a program.

    Args:
        image: Reference by digest.
        secret: Name of the Secret with the password.
        provisioned: Name of the ConfigMap with data source and provider.
        shown: Names of the ConfigMaps with the dashboards.
    """
    dashboards = [{"configMap": {"name": name}} for name in shown.values()]
    files = {"datasources": "datasources.yaml", "dashboards": "dashboards.yaml"}
    return Program(
        name=COMPONENT,
        image=image,
        args=(),
        ports={METRICS: PORT},
        health=Health(port=METRICS, ready="/api/health", alive="/api/health"),
        resources=RESOURCES,
        environment=[{"name": name, "value": value} for name, value in SETTINGS.items()],
        volumes=[
            {"name": "admin", "secret": {"secretName": secret, "defaultMode": 0o440}},
            {"name": "provisioning", "configMap": {"name": provisioned}},
            {"name": "dashboards", "projected": {"sources": dashboards}},
            {"name": "data", "emptyDir": {"sizeLimit": "512Mi"}},
            {"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        mounts=[
            {"name": "admin", "mountPath": SECRET_FOLDER, "readOnly": True},
            *(
                {
                    "name": "provisioning",
                    "mountPath": f"{PROVISIONING}/{folder}/{file}",
                    "subPath": file,
                    "readOnly": True,
                }
                for folder, file in files.items()
            ),
            {"name": "dashboards", "mountPath": DASHBOARDS_FOLDER, "readOnly": True},
            {"name": "data", "mountPath": DATA_FOLDER},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
        ],
    )


def policy_specs(stack: str) -> dict[str, policies.Spec]:
    """Its metrics are read, and it asks Prometheus; people come in through the API server."""
    pods = labels.selector(stack, component=COMPONENT)
    asked = {"podSelector": {"matchLabels": labels.selector(stack, component=prometheus.COMPONENT)}}
    return {
        f"allow-{COMPONENT}-metrics": policies.scraped(pods, [PORT]),
        f"allow-{COMPONENT}-queries": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Egress"],
            "egress": [{"to": [asked], "ports": [{"protocol": "TCP", "port": prometheus.PORT}]}],
        },
    }

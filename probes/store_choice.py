"""The store of a command that reads records and knows no stack: `--store`, else what the environment names."""

import os
from collections.abc import Mapping

from probes.errors import UsageError
from probes.store import Store, open_store
from stacks.outputs import Records

BUCKET_VARIABLE = "ROS2BENCH_RECORDS_BUCKET"
ENDPOINT_VARIABLE = "ROS2BENCH_RECORDS_ENDPOINT"
DEFAULT_REGION = "us-east-1"


def chosen_store(option: str | None, environment: Mapping[str, str] = os.environ) -> Store:
    """Open the store that `--store` names, or the one of the environment (docs/contracts.md, section 6).

    Args:
        option: `dir:PATH`, `s3://BUCKET[/PREFIX]`, or None.
        environment: Variables; the process's own by default.

    Raises:
        UsageError: Neither names a store.
    """
    bucket = environment.get(BUCKET_VARIABLE) or ""
    if option is None and not bucket:
        raise UsageError(
            f"No store is named: neither --store nor {BUCKET_VARIABLE} is set.",
            next_step='--store dir:PATH, --store s3://BUCKET[/PREFIX], or for the lab: eval "$(python -m lab env)"',
        )
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    endpoint = environment.get(ENDPOINT_VARIABLE) or None
    return open_store(option, Records(bucket=bucket, endpoint=endpoint, region=region, prefix=""))

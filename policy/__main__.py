"""The policy pack as the Pulumi engine runs it: `pulumi preview --policy-pack policy`."""

import sys
from pathlib import Path

# The engine runs this folder alone; the rules are beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policy import validation


def _object(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for sentence in validation.of_resource(args.resource_type, args.props):
        report(sentence)


def _together(args: StackValidationArgs, report: ReportViolation) -> None:
    for sentence in validation.of_stack((each.resource_type, each.props) for each in args.resources):
        report(sentence)


PolicyPack(
    name="ros2bench",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(
            name="guardrails", description="Every object passes components/guardrails.py.", validate=_object
        ),
        StackValidationPolicy(
            name="guardrails-together", description="The objects of a stack fit together.", validate=_together
        ),
    ],
)

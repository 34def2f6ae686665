"""The Pulumi program of every stack: read the spec, run the stack's program, export one contract."""

import os

import pulumi

from components.refusal import Refusal
from stacks.outputs import OUTPUT_NAME
from stacks.program import configured, run
from stacks.reading import read_spec

try:
    stack = pulumi.get_stack()
    pulumi.export(OUTPUT_NAME, run(stack, read_spec(stack, configured(), os.environ), os.environ))
except Refusal as refusal:
    raise pulumi.RunError(str(refusal)) from None

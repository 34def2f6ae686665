"""The Pulumi program of every stack: read the spec, run the stack's program, export one contract."""

import os

import pulumi

from components.refusal import Refusal
from stacks.outputs import OUTPUT_NAME
from stacks.program import configured, configured_secrets, run
from stacks.reading import read_spec

try:
    stack = pulumi.get_stack()
    spec = read_spec(stack, configured(), os.environ)
    pulumi.export(OUTPUT_NAME, run(stack, spec, os.environ, configured_secrets(stack)))
except Refusal as refusal:
    raise pulumi.RunError(str(refusal)) from None

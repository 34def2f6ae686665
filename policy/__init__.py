"""Pulumi policy pack: the guardrails of `components.guardrails` for whoever deploys with `--policy-pack policy`."""

"""Proofs that the measurements are right: `python -m benchmarks.proofs`, or `make prove`.

One file per proof, found by its name `proof_NN_…`. Each has a claim, a pure verdict function, which unit tests feed
with samples of known truth, and a thin `prove` that makes a live stack produce the evidence.
"""

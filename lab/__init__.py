"""The embedded default target: two Kubernetes machines, a registry and an object store on one computer.

For everybody who has no cluster at hand. Imported by nobody: users with a cluster skip it.
"""

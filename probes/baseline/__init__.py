"""The zero of every pattern: the same nodes on one machine without Kubernetes, `python -m probes.baseline`.

The bringup of the application image starts the nodes as it does in the pod of the pattern `monolithic`, from the same
root file system, with the same parameters, transport profile and environment, as the same user, read-only; the recorder
image runs beside it and the ordinary runner measures. What is left out is Kubernetes: no kubelet, no container runtime,
no pod network, no Service, no limits.

Needs Linux, and either root with buildah, util-linux and iproute2 (the images are mounted, a network namespace of its
own has nothing but a loopback device), or docker or podman.

Limits: one machine, so nothing crosses a network; discovery is multicast on the loopback device; no machine reader, so
CPU, memory, I/O and power are missing(no_platform); install_s is the time from the start of the bringup until all nodes
are ready, with the image already there, and holds no scheduling and no pull; memory limits do not apply.
"""

"""The zero of every pattern: the same nodes on one machine without Kubernetes, `python -m probes.baseline`.

The bringup of the application image starts the nodes as it does in the pod of the pattern `monolithic`, from the same
root file system, with the same parameters, transport profile and environment, as the same user, read-only; the recorder
image runs beside it and the ordinary runner measures. What is left out is Kubernetes: no kubelet, no container runtime,
no pod network, no Service, no limits.

With `--platform STACK` the machine reader of that platform stack runs beside them, with its image and settings, and
CPU, memory, I/O, power and the gate quiet_machine are measured by the same program as in the cluster. For it to tell
the nodes from other processes, each container is in a control group that is named like that of a pod and limits
nothing; these groups are removed at the end. Without it those metrics are missing(no_platform).

Needs Linux, and either root with buildah, util-linux and iproute2 (the images are mounted, a network namespace of its
own has nothing but a loopback device), or docker or podman; `--platform` needs the former.

Limits: one machine, so nothing crosses a network; discovery is multicast on the loopback device; install_s is the time
from the start of the bringup until all nodes are ready, with the image already there, and holds no scheduling and no
pull; memory limits do not apply; a GPU whose driver a RuntimeClass brings into the reader's pod is not read.
"""

"""GPUs: who offers them to the cluster, which machines have them, and what keeps pods to the right ones."""

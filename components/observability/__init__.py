"""Programs that keep and show metrics: Prometheus and its neighbours, one component resource in a file each."""

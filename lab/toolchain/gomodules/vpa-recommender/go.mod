module ros2bench.tools/vpa-recommender

go 1.24.0

require k8s.io/autoscaler/vertical-pod-autoscaler v1.4.1

module ros2bench.tools/pulumi-resource-kubernetes

go 1.22.0

require github.com/pulumi/pulumi-kubernetes/provider/v4 v4.0.0-20240930223531-b7dae6b4ea56
require github.com/pulumi/pulumi-kubernetes/sdk/v4 v4.18.1

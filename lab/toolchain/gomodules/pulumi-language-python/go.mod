module ros2bench.tools/pulumi-language-python

go 1.21

require github.com/pulumi/pulumi/sdk/v3 v3.78.1

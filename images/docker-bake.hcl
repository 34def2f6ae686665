# For `docker buildx bake`, run in this folder: the same Containerfiles as `python -m images.build`, base flavour `official`.
#   docker buildx bake                                            load the images of the four patterns into the local engine
#   docker buildx bake demo                                       only those that `make demo` needs
#   REGISTRY=registry.example:5000 docker buildx bake --push      push them
#   ROS_DISTRO=humble PYTHON_VERSION=3.10 docker buildx bake      another distribution
#   PLATFORMS=linux/amd64,linux/arm64 docker buildx bake --push   for several architectures
#   docker buildx bake -f docker-bake.hcl -f docker-bake.jetson.hcl --push jetson      what a Jetson needs
# It checks no overlay's boundary and writes no lock; `python -m images.build --flavour official` does both.

variable "REGISTRY" {
  default = "localhost"
}

variable "TAG" {
  default = "latest"
}

variable "ROS_DISTRO" {
  default = "jazzy"
}

variable "PYTHON_VERSION" {
  default = "3.12"
}

variable "PLATFORMS" {
  default = ""
}

group "default" {
  targets = [
    "application-monolithic", "recorder",
    "application-camera", "application-detector", "application-reader", "application-monitor",
    "application-composition", "application-overlay-base",
    "overlay-interfaces", "overlay-interfaces-carrier", "overlay-nodes", "overlay-nodes-carrier",
  ]
}

group "demo" {
  targets = ["application-monolithic", "recorder"]
}

group "platform" {
  targets = ["machine-reader"]
}

group "all" {
  targets = ["default", "examples", "ros1", "machine-reader"]
}

target "settings" {
  context   = "."
  platforms = PLATFORMS == "" ? [] : split(",", PLATFORMS)
  args = {
    ROS_DISTRO        = ROS_DISTRO
    PYTHON_VERSION    = PYTHON_VERSION
    SOURCE_DATE_EPOCH = "0"
  }
}

target "base" {
  name       = base
  inherits   = ["settings"]
  dockerfile = "base/official.Containerfile"
  matrix     = { base = ["runtime", "plain", "builder", "assets"] }
  target     = base
}

target "package" {
  name     = "package-${package.name}"
  inherits = ["settings"]
  matrix = {
    package = [
      { name = "interfaces", source = "ros2bench_interfaces", under = "builder", unless_there = "" },
      { name = "composition-interfaces", source = "composition_interfaces", under = "builder", unless_there = "composition_interfaces" },
      { name = "telemetry", source = "ros2bench_telemetry", under = "builder", unless_there = "" },
      { name = "bringup", source = "ros2bench_bringup", under = "builder", unless_there = "" },
      { name = "nodes", source = "ros2bench_nodes", under = "package-interfaces", unless_there = "" },
      { name = "service", source = "ros2bench_service", under = "builder", unless_there = "" },
      { name = "recorder", source = "ros2bench_recorder", under = "builder", unless_there = "" },
      { name = "machine-reader", source = "ros2bench_machine_reader", under = "builder", unless_there = "" },
      { name = "composition", source = "ros2bench_composition", under = "builder", unless_there = "" },
      { name = "examples", source = "ros2bench_examples", under = "builder", unless_there = "" },
    ]
  }
  context    = "workspace/src/${package.source}"
  dockerfile = "../../../packages.Containerfile"
  target     = "package"
  contexts = {
    tools             = "bin"
    ros2bench-builder = "target:${package.under}"
  }
  args = {
    NAME         = package.name
    UNLESS_THERE = package.unless_there
  }
}

target "image" {
  name       = role
  inherits   = ["settings"]
  dockerfile = "Containerfile"
  matrix = {
    role = [
      "application-monolithic", "recorder",
      "application-camera", "application-detector", "application-reader", "application-monitor",
      "application-composition", "application-overlay-base", "examples", "machine-reader",
    ]
  }
  target = role
  contexts = {
    ros2bench-runtime              = "target:runtime"
    ros2bench-plain                = "target:plain"
    assets                         = "target:assets"
    package-interfaces             = "target:package-interfaces"
    package-composition-interfaces = "target:package-composition-interfaces"
    package-telemetry              = "target:package-telemetry"
    package-bringup                = "target:package-bringup"
    package-nodes                  = "target:package-nodes"
    package-service                = "target:package-service"
    package-recorder               = "target:package-recorder"
    package-machine-reader         = "target:package-machine-reader"
    package-composition            = "target:package-composition"
    package-examples               = "target:package-examples"
  }
  tags = ["${REGISTRY}/ros2bench/${role}:${TAG}"]
}

target "overlay" {
  name       = "overlay-${name}"
  inherits   = ["settings"]
  dockerfile = "overlay.Containerfile"
  matrix     = { name = ["interfaces", "nodes"] }
  target     = "overlay"
  contexts   = { package = "target:package-${name}" }
  tags       = ["${REGISTRY}/ros2bench/overlay-${name}:${TAG}"]
}

target "overlay-carrier" {
  name       = "overlay-${name}-carrier"
  inherits   = ["settings"]
  dockerfile = "overlay.Containerfile"
  matrix     = { name = ["interfaces", "nodes"] }
  target     = "carrier"
  contexts = {
    package                = "target:package-${name}"
    ros2bench-overlay-base = "target:application-overlay-base"
  }
  tags = ["${REGISTRY}/ros2bench/overlay-${name}-carrier:${TAG}"]
}

target "ros1" {
  inherits   = ["settings"]
  dockerfile = "ros1.Containerfile"
  target     = "ros1"
  args       = { RUNTIME = "docker.io/library/ros:noetic-ros-core" }
  tags       = ["${REGISTRY}/ros2bench/ros1:${TAG}"]
}

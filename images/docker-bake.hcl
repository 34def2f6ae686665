# For `docker buildx bake`, run in this folder: the same Containerfiles as `python -m images.build`, base flavour `official`.
#   docker buildx bake                                            load both images into the local engine
#   REGISTRY=registry.example:5000 docker buildx bake --push      push them
#   ROS_DISTRO=humble PYTHON_VERSION=3.10 docker buildx bake      another distribution, for example on a Jetson

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

group "default" {
  targets = ["application-monolithic", "recorder"]
}

target "settings" {
  context = "."
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
  matrix     = { base = ["runtime", "builder", "assets"] }
  target     = base
}

target "image" {
  name       = role
  inherits   = ["settings"]
  dockerfile = "Containerfile"
  matrix     = { role = ["application-monolithic", "recorder"] }
  target     = role
  contexts = {
    ros2bench-runtime = "target:runtime"
    ros2bench-builder = "target:builder"
    ros2bench-assets  = "target:assets"
  }
  tags = ["${REGISTRY}/ros2bench/${role}:${TAG}"]
}

# Over docker-bake.hcl: images for a Jetson with JetPack 6 (Ubuntu 22.04, aarch64), docs/jetson.md.
#   REGISTRY=registry.example:5000 docker buildx bake -f docker-bake.hcl -f docker-bake.jetson.hcl --push jetson

variable "ROS_DISTRO" {
  default = "humble"
}

variable "PYTHON_VERSION" {
  default = "3.10"
}

variable "PLATFORMS" {
  default = "linux/arm64"
}

group "jetson" {
  targets = ["default", "machine-reader"]
}

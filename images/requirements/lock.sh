#!/bin/sh
# Locks the Python packages of the images; run in this folder, with uv on PATH.
set -eu
lock() {
  uv pip compile --quiet --generate-hashes --no-annotate --no-header --no-emit-index-url "$@"
}
wheels="--python-version 3.11 --python-platform x86_64-manylinux_2_28"
# Left out: what the ROS wheels name but only need to build packages, or what is published as source only.
build_only="--no-emit-package empy --no-emit-package lark-parser --no-emit-package setuptools
  --no-emit-package ros-ament-cmake-cppcheck --no-emit-package ros-ament-cmake-cpplint
  --no-emit-package ros-ament-cmake-flake8 --no-emit-package ros-ament-cmake-pep257
  --no-emit-package ros-ament-cmake-uncrustify --no-emit-package ros-wheels-bootstrapper"
lock $wheels $build_only ros-jazzy.in -o ros-jazzy.txt
lock $wheels --no-emit-package lark-parser --no-emit-package ros-wheels-bootstrapper \
  -c ros-jazzy.txt ros-jazzy-build.in -o ros-jazzy-build.txt
everywhere="--universal --python-version 3.10 --no-python-downloads"
for name in pictures inference composition recorder machine-reader; do
  lock $everywhere --no-emit-package numpy "$name.in" -o "$name.txt"
done
lock $everywhere --no-deps models.in -o models.txt
lock $everywhere source-build.in -o source-build.txt

#!/usr/bin/env bash
# Runs a program of this repository with Node and all, from a folder that scripts/pack-for-gpu.mjs made, on a machine that
# has a GPU with its Vulkan driver, tar and xz. Unpacks what has changed since the last time, and works in the copy: give
# paths of your own files in full.
# Usage: bash run-on-gpu.sh FILE [PARAMETERS]       such as: bash .carry/run-on-gpu.sh bin/run.js doctor --deep
set -euo pipefail
packed="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
there="${MAMBATUNE_UNPACKED:-${TMPDIR:-/tmp}/mambatune-on-gpu-$(id -u)}"
program="$there/program"
mkdir -p "$program" "$there/loader"

[[ $# -gt 0 ]] || { echo "Usage: bash $0 FILE [PARAMETERS]" >&2; exit 2; }

# Unpacks a part with the given command, unless this very part is unpacked already.
part() {
  local name="$1" key="$packed/$1.key" done="$there/$1.key"
  shift
  cmp -s "$key" "$done" && return
  rm -f "$done"
  "$@" <"$packed/$name"
  cp "$key" "$done"
}

# Gone and new, so that a file that a build has removed does not live on.
program_part() {
  local name
  for name in bench bin build dist scripts; do rm -rf "${program:?}/$name"; done
  tar -xJ -C "$program"
}

packages_part() {
  rm -rf "${program:?}/node_modules"
  rm -f "$there/dawn.node.xz.key"
  tar -xJ -C "$program"
}

node_part() { xz -dc >"$there/node" && chmod +x "$there/node"; }

dawn_part() {
  local folder="$program/node_modules/webgpu/dist/linux-x64"
  mkdir -p "$folder" && xz -dc >"$folder/dawn.node"
}

part node.xz node_part
part packages.tar.xz packages_part
part dawn.node.xz dawn_part
part loader.tar.xz tar -xJ -C "$there/loader"
part assets.tar.xz tar -xJ -C "$program"
part program.tar.xz program_part

# The machine's own Vulkan loader comes first, if it has one.
if [[ "$(ldconfig -p 2>/dev/null)" != *'libvulkan.so.1 '* ]]; then
  export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$there/loader"
fi

# The loader looks into the first two directories by itself; containers have NVIDIA's driver in the others.
if [[ -z "${VK_DRIVER_FILES:-}" ]]; then
  for driver in {/etc,/usr/share,/usr/local/share,/usr/local/nvidia/share}/vulkan/icd.d/nvidia_icd*.json; do
    if [[ -e "$driver" ]]; then
      export VK_DRIVER_FILES="$driver"
      break
    fi
  done
fi

cd "$program"
exec "$there/node" "$@"

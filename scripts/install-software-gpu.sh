#!/usr/bin/env bash
# Sees to it that a software Vulkan driver runs WGSL on a machine without a GPU: Mesa's lavapipe, 25 or newer, because Dawn
# refuses the 22.3 of Debian 12. Prints the path of the driver's json, which belongs into VK_DRIVER_FILES; everything else
# goes to stderr. Where the driver answers already, nothing is changed. Needs Debian, root (or sudo) and node_modules.
# Usage: VK_DRIVER_FILES="$(scripts/install-software-gpu.sh)"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NEEDED=25
PACKAGES=(mesa-vulkan-drivers libvulkan1)

say() { echo "install-software-gpu: $*" >&2; }

# Not lvp_icd.json by its full name: later releases of Mesa put the architecture into it.
driver() { compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' | sed -n 1p; }

answers() { [[ -n "$(driver)" ]] && VK_DRIVER_FILES="$(driver)" node scripts/gpu-adapter.mjs >&2 2>/dev/null; }

as_root() { if [[ $EUID -eq 0 ]]; then "$@" >&2; else sudo -n "$@" >&2; fi; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 "$@"; }

# The version that a plain install would bring is new enough.
plain_is_enough() {
  local candidate
  candidate="$(apt-cache policy mesa-vulkan-drivers | sed -n 's/^ *Candidate: //p')"
  dpkg --compare-versions "$candidate" ge "$NEEDED"
}

# Where the machine has a suite from, by the codename in its Release file. The machine's own mirror is the one to ask.
mirror_of() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$1" '$1 == suite && !found++ {print $2}'
}

add_backports() {
  local codename="$1" mirror
  [[ -z "$(mirror_of "$codename-backports")" ]] || return 0
  mirror="$(mirror_of "$codename")"
  [[ -n "$mirror" ]] || { say "no source of $codename among this machine's apt sources"; return 1; }
  say "adding $codename-backports from $mirror"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $codename-backports main" |
    as_root tee /etc/apt/sources.list.d/backports-of-mesa.list
  apt update
}

install() {
  command -v apt-get >/dev/null || { say 'needs apt-get: install Mesa 25 or newer by hand'; return 1; }
  # A source of someone else's that does not answer is no reason to stop; a missing package will be.
  apt update || say 'apt-get update has faults; going on'
  if plain_is_enough; then
    apt install -y --no-install-recommends "${PACKAGES[@]}"
  else
    local codename
    codename="$(. /etc/os-release && echo "$VERSION_CODENAME")"
    add_backports "$codename"
    apt install -y --no-install-recommends -t "$codename-backports" "${PACKAGES[@]}"
  fi
}

if ! answers; then
  install
  answers || { say 'the driver is installed and does not answer'; exit 1; }
fi
driver

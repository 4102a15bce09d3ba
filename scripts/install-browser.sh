#!/usr/bin/env bash
# Sees to it that the tests have a browser: chromium-headless-shell of Debian's packages, on the PATH. Prints its path;
# everything else goes to stderr. Where it is already, nothing is changed. Needs Debian and root (or sudo).
# Usage: scripts/install-browser.sh
set -euo pipefail

BROWSER=chromium-headless-shell

say() { echo "install-browser: $*" >&2; }

as_root() { if [[ $EUID -eq 0 ]]; then "$@" >&2; else sudo -n "$@" >&2; fi; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 "$@"; }

if ! command -v "$BROWSER" >/dev/null; then
  command -v apt-get >/dev/null || { say "needs apt-get: put $BROWSER on the PATH by hand"; exit 1; }
  # A source of someone else's that does not answer is no reason to stop; a missing package will be.
  apt update || say 'apt-get update has faults; going on'
  apt install -y --no-install-recommends "$BROWSER"
fi
command -v "$BROWSER" || { say "$BROWSER is installed and not on the PATH"; exit 1; }

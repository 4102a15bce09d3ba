#!/usr/bin/env bash
# Puts beside this file what scripts/fuzz-coverage.mjs runs: Jazzer.js, and where the system's C library is older than the 2.38 that
# its prebuilt part asks for, that of Debian 13 in the folder libc, which replaces nothing. The latter needs apt-get, and a source of
# Debian among this machine's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

NEEDED=2.38
SUITE=trixie

say() { echo "fuzz-coverage: $*" >&2; }

npm ci --no-audit --no-fund

found="$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)"
[[ -n "$found" ]] || { say 'no GNU libc here: Jazzer.js has to run with what there is'; exit 0; }
if [[ "$(printf '%s\n' "$NEEDED" "$found" | sort -V | sed -n 1p)" == "$NEEDED" ]] || [[ -d libc ]]; then exit 0; fi

say "the C library is $found: fetching that of Debian $SUITE"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | sed -n 1p)"
[[ -n "$mirror" ]] || { say "no source of Debian among this machine's apt sources"; exit 1; }
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" >"$work/sources.list"
options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update >&2
(cd "$work" && apt-get "${options[@]}" download "libc6/$SUITE" "libstdc++6/$SUITE" "libgcc-s1/$SUITE" >&2)
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
mkdir -p libc.partial
cp -a "$work"/unpacked/usr/lib/*-linux-gnu/*.so* libc.partial/
mv libc.partial libc

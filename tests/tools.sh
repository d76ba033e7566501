#!/bin/sh
# Installs the programs that the tests run, if they are missing.
set -eu

missing=""
command -v iverilog >/dev/null || missing="$missing iverilog"
command -v sta >/dev/null || missing="$missing opensta"
test -e /usr/share/qflow/tech/osu018/osu018_stdcells.lib || missing="$missing qflow-tech-osu018"
command -v g++ >/dev/null || missing="$missing g++"
command -v chromium >/dev/null || missing="$missing chromium"
test -n "$missing" || exit 0

echo "The tests need these Debian packages:$missing"
echo "  iverilog           simulates the emitted Verilog"
echo "  opensta            measures delay and power of mapped units"
echo "  qflow-tech-osu018  is the open cell library that they are mapped to"
echo "  g++                builds Verilator's simulations, for test-exhaustive"
echo "  chromium           opens the page of hwsim report"
if ! command -v apt-get >/dev/null; then
    echo "There is no apt-get here. Install them by other means, so that iverilog and sta are on"
    echo "the PATH and /usr/share/qflow/tech/osu018/osu018_stdcells.lib exists."
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run this as root, or install sudo."; exit 1; }
    as_root=sudo
fi
$as_root apt-get update
# shellcheck disable=SC2086 # one word a package
$as_root apt-get install -y --no-install-recommends $missing

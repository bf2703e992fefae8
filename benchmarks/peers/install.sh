#!/usr/bin/env bash
# The peers' environments, about 1 GB each: benchmarks/peers/install.sh [opennmt] [eole] [joeynmt] [yoyodyne]
#
# torch comes first and is left alone: what the toolkits ask for (torch < 2.3, CUDA packages, old protobuf) is not what
# they need. Where pip's usual index gives another build than that for the CPU:
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu benchmarks/peers/install.sh
set -euo pipefail
cd "$(dirname "$0")"
names=("$@")
[ $# -gt 0 ] || names=(opennmt eole joeynmt yoyodyne)
for name in "${names[@]}"; do
  echo "== $name"
  "${PYTHON:-python3.11}" -m venv --clear ".venvs/$name"
  pip=(".venvs/$name/bin/python" -m pip --quiet --disable-pip-version-check install)
  "${pip[@]}" torch==2.13.0 setuptools==84.2.1
  "${pip[@]}" --no-deps -r "requirements-$name.txt"
done

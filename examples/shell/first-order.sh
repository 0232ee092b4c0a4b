#!/bin/sh
# From nothing to the first synced order by pip and a shell's pipe. The variables of docs/running.md are set already.
set -eu
python3 -m venv venv
venv/bin/pip install --quiet "${ORDERS_SYNC:-orders-sync[postgres]}"
export PATH="$PWD/venv/bin:$PATH"
orders-sync init --yes
orders-sync doctor
run-pair
orders-sync status

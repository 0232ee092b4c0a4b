#!/bin/sh
# make nightly: what takes too long for every change, step by step.
# A step that is green leaves a stamp for the code as it is, and is left out by the next call: after an interruption or a
# failure it goes on from there. counts.json says what each step counted. Fails where a step did; the others still run.
set -u
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
root=${NIGHTLY_FOLDER:-.nightly}
code=$({ git rev-parse HEAD && git diff HEAD; } | git hash-object --stdin | cut -c1-12)
folder=$root/$code
failed=
export PYTHONPATH=.:tests NIGHTLY=all FAULTS=all
mkdir -p "$folder"

step() { # NAME COMMAND...
    name=$1
    shift
    if [ -e "$folder/$name.ok" ]; then
        echo "$name: green before"
        return
    fi
    if "$@" >"$folder/$name.log" 2>&1; then
        touch "$folder/$name.ok"
        echo "$name: green"
    else
        failed="$failed $name"
        echo "$name: FAILED, see $folder/$name.log"
    fi
    "$bin/python" -m scripts.nightly_counts "$folder" >"$root/counts.json"
}

tests() { # pytest's options; the report lies beside the log
    "$bin/python" -m pytest -q -n 3 --dist worksteal --junitxml="$folder/$name.xml" "$@"
}

step tests tests --ignore=tests/examples --ignore=tests/faults --ignore=tests/model
step examples tests tests/examples -n 1
step pages tests tests/tap/test_pages.py
step faults tests tests/faults
step sleeps "$bin/python" -m sleeps --runs "${SLEEPS:-200}"
step model tests tests/model
step simulate "$bin/python" -m simulation --seeds "${SEEDS:-30000}" --fresh 1000 --brief --keep "$root/simulation.json"
step simulate-day "$bin/python" -m simulation.day --hours "${HOURS:-24}"
step mutants "$bin/python" -m simulation.mutants
step mutate "$bin/python" -m mutation
step breaks "$bin/python" -m breaks
step judges "$bin/python" -m judges
[ -z "$failed" ]

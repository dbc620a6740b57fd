# The developer's recipes; `just` lists them. CI and hooks call nothing else.

set positional-arguments

# All tests of a file run in one process. How many there are, and which files come first, is in
# tests/schedule.py.
SIDE_BY_SIDE := "--numprocesses=logical --maxprocesses=5 --dist=loadfile --no-loadscope-reorder"

export PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")

# List the recipes.
default:
    @just --list

# Set up the environment.
setup:
    uv sync --quiet

# Format the code.
fmt:
    ruff format .
    ruff check --fix --quiet .

# Check format and lint.
lint:
    ruff format --check .
    ruff check .

# Check the types with mypy and pyright.
types:
    mypy
    pyright

# Check the import contracts.
imports:
    lint-imports

# Check that every direct import is a declared dependency, and every dependency is used.
deps:
    deptry domain projections transcoder api
    deptry tests benchmarks --ignore DEP002,DEP004

# Run the tests on real servers; without arguments all of them in parallel, the domain's with coverage.
test *ARGS:
    pytest {{ if ARGS == "" { SIDE_BY_SIDE + " --ignore=tests/domain" } else { "" } }} "$@"
    {{ if ARGS == "" { just_executable() + " coverage" } else { "" } }}

# Run the domain's tests, which have to reach every line and branch of it.
coverage:
    pytest {{ SIDE_BY_SIDE }} tests/domain --cov=domain --cov-report=term-missing:skip-covered

# Run what has SQL on PostgreSQL 14 to 18, or those named; npm brings the older ones. Prints a table.
postgres-versions *ARGS:
    python -m tests.postgres_versions {{ SIDE_BY_SIDE }} "$@"

# Run what depends most on the version on PostgreSQL 14, where npm can bring it: rights, migrations, the log.
postgres-oldest:
    #!/usr/bin/env bash
    if ! command -v npm >/dev/null; then
        echo "npm is not installed: PostgreSQL 14 was not tested." >&2
        exit
    fi
    just postgres-versions 14 tests/projections/test_grants.py tests/projections/test_migrate.py tests/domain/event_store

# Run the tests that need no server, in under a minute.
quick *ARGS:
    pytest -p tests.quick --numprocesses=logical --maxprocesses=4 "$@"

# Break every part of a running stack, again and again, for ten minutes.
faults *ARGS:
    NOVA_FAULTS=full pytest {{ SIDE_BY_SIDE }} tests/faults tests/projections/follow/test_kills.py "$@"

# Break one rule after another and check that the tests notice; select with `-k auth` or `-k domain/`.
mutants *ARGS:
    pytest tests/mutants/kill.py --numprocesses=2 --dist=worksteal --tb=line "$@"

# Write the generated parts of the docs.
docs:
    python -m tests.architecture.generated

# Write a software bill of materials (CycloneDX 1.5): every wheel that an image ships, with its hashes.
sbom *ARGS:
    uv export --frozen --no-dev --all-extras --format cyclonedx1.5 --preview-features sbom-export --quiet --output-file "${1:-sbom.json}"

# Look the locked dependencies up in the OSV database of vulnerabilities; needs the network.
audit-dependencies *ARGS:
    #!/usr/bin/env bash
    uv audit --frozen --no-dev --preview-features audit-command "$@" && exit
    code=$?
    [ $code -eq 1 ] || echo "Not audited: no vulnerability was looked up. Run it where the OSV database can be reached." >&2
    exit $code

# Check whether pi-heif can replace pillow-heif yet; needs the network, and fails when it can.
pi-heif:
    python -m tests.architecture.pi_heif

# Print the percentiles of the real stack for the per-post target.
bench *ARGS:
    pytest benchmarks/test_per_post.py --benchmark-enable --benchmark-only "$@"

# Measure the image transcoder against its peers; sharp takes part where Node is installed.
bench-transcoder *ARGS:
    if command -v npm >/dev/null; then npm ci --silent --prefix benchmarks/peers || true; fi
    pytest benchmarks/test_transcoder.py --benchmark-enable --capture=no --quiet "$@"

# Measure the most memory of an image process for the largest photo of each kind: an hour.
bench-memory *ARGS:
    pytest benchmarks/test_image_memory.py --benchmark-enable --capture=no --quiet "$@"

# Measure the CPU of an image process by type and structure of the picture, beside its forecast.
bench-cpu *ARGS:
    pytest benchmarks/test_image_cpu.py --benchmark-enable --capture=no --quiet "$@"

# Damage photos in every way, and count which are published; count which intact ones are refused.
bench-damage *ARGS:
    python -m benchmarks.damage "$@"

# Put the real stack under load: throughput, latency, the queue, and a plot.
bench-load *ARGS:
    pytest benchmarks/test_load.py benchmarks/test_waiting.py benchmarks/test_reading.py benchmarks/test_many_workers.py --benchmark-enable --capture=no --quiet "$@"

# Attack the API with idle, slow and oversized requests, beside a client that behaves.
bench-hostile *ARGS:
    pytest benchmarks/test_hostile.py --benchmark-enable --capture=no --quiet "$@"

# Run for ten minutes at 70 % of the workers' capacity, and check that nothing grows.
bench-soak *ARGS:
    pytest benchmarks/test_soak.py --benchmark-enable --capture=no --quiet "$@"

# Measure appends on a durable server, by what a commit takes and how many write at once.
bench-log *ARGS:
    pytest benchmarks/test_log.py --benchmark-enable --capture=no --quiet "$@"

# Measure following, rebuilding, the audit trail and its checkpoints, at up to a million events.
bench-projections *ARGS:
    pytest benchmarks/test_projections.py benchmarks/test_audit.py benchmarks/test_log_tree.py --benchmark-enable --capture=no --quiet "$@"

# Run every benchmark once, without measuring.
bench-smoke:
    pytest benchmarks --benchmark-disable -qq

# Fail if a post takes too long or the transcoder misses its targets by a quarter; figures stay in .benchmarks/.
bench-gate:
    mkdir -p .benchmarks
    NOVA_GATE_MARGIN=1.25 pytest benchmarks/test_per_post.py benchmarks/test_transcoder.py -k "published_within or faster_than" --benchmark-enable --benchmark-json=.benchmarks/gate.json --capture=no -qq

# Everything that must hold before a change lands.
check: lint types imports deps test postgres-oldest bench-smoke bench-gate

# Publish photos and show every event.
demo *ARGS:
    nova demo "$@"

# Run everything until Ctrl-C.
dev *ARGS:
    nova dev "$@"

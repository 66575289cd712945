set positional-arguments

# Where it is set, each process that a test starts would compile everything that it imports.
export PYTHONDONTWRITEBYTECODE := ""

# All that CI does; `sh dev.sh setup` makes the environment that these recipes use.
default: lint types (docs "--check") (test "-m" "")

# Mend what can be mended by machine.
fix:
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# The quick tests; words go to pytest, as in `just test -k cursor`.
test *words:
    .venv/bin/pytest -n auto --dist worksteal "$@"

# Write docs/reference.md and schemas/pipeline.schema.json from the models and parts.
docs *words:
    .venv/bin/python -m engine.spec.reference "$@"

# Seconds, CPU and peak memory of the whole walk; numbers of records may follow, as in `just bench 1_000_000`.
bench *words:
    .venv/bin/python bench/walk.py "$@"

# Requests a second and CPU of 10,000 children at 50 ms each, next to a bare client; numbers in flight may follow.
fanout *words:
    .venv/bin/python bench/fanout.py "$@"

# Kill runs of the pages at every kind of instant; CI tries a sample of this.
crash *words:
    for tool in cequence 42crunch apigee; do .venv/bin/engine test --crash $tool "$@" || exit 1; done

# What it costs that nothing is lost: collecting with and without syncing, as a ratio.
durable:
    .venv/bin/python bench/durable.py

# What encryption costs: the whole walk with and without a key, as a ratio.
seal *words:
    .venv/bin/python bench/seal.py "$@"

[private]
lint:
    .venv/bin/ruff check
    .venv/bin/ruff format --check

[private]
types:
    .venv/bin/mypy

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

# How fast it is beside a hand-written collection and its peers: a few minutes; `just bench --help` says what else there is.
bench *words:
    .venv/bin/python bench/run.py "$@"

# Random JMESPath over random documents, by Polars and by jmespath.py: cases and a seed may follow.
jmespath *words:
    .venv/bin/python -m tests.flow.differential "$@"

# Kill runs of the pages at every kind of instant; CI tries a sample of this.
crash *words:
    for tool in cequence 42crunch apigee; do .venv/bin/engine test --crash $tool "$@" || exit 1; done

[private]
lint:
    .venv/bin/ruff check
    .venv/bin/ruff format --check

[private]
types:
    .venv/bin/mypy

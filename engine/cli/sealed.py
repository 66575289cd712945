"""`key` and `decrypt`: a key for an encrypted storage, and what was sealed with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from engine.cli.options import open_engine, places


@click.command()
def key() -> int:
    """Print a new random key for an encrypted storage.

    Keep it where secrets are kept: without it nobody can read what is kept with it, and no one can make it again.

    \b
    Example:
      export ENCRYPTION_KEY="$(engine key)"
    """
    from engine.app.sealed import key

    click.echo(key())
    return 0


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it to this file.  [default: print it]")
@places
def decrypt(file: Path, output: Path | None, config: Path | None, storage: Path | None) -> int:
    """Decrypt a file of an encrypted storage with ENCRYPTION_KEY: a report, a table's part, kept pages, a log.

    A part of a table becomes a Parquet file without encryption, of kept pages each is a line of JSON.

    \b
    Example:
      engine decrypt reports/apigee/20260115T090000Z-1/posture.xlsx.enc --output posture.xlsx
    """
    from engine.app.sealed import decrypted, written

    engine = open_engine(config, storage)
    pieces = decrypted(file, engine.config, engine.env)
    if output is not None:
        written(output, pieces)
        return 0
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    return 0


COMMANDS: Sequence[click.Command] = (key, decrypt)

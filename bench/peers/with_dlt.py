"""The records through dlt: its rest_api source to Parquet files, at the settings that were fastest.

`with_dlt.py URL PAGING SIZE SHAPE FOLDER`; the files lie in FOLDER/lake.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    # files small enough that both processes of normalize have work, buffers of five pages of a thousand
    "DATA_WRITER__BUFFER_MAX_ITEMS": "5000",
    "DATA_WRITER__FILE_MAX_ITEMS": "50000",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "50000",
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "2",
    # what lies between its stages is not compressed
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}


def main(url: str, paging: str, folder: Path) -> None:
    """Extract, normalize and load everything."""
    os.environ.update(
        {**SETTINGS, **{k: v for k, v in os.environ.items() if k in SETTINGS}}, DLT_DATA_DIR=str(folder / "data")
    )
    import dlt
    from dlt.sources.rest_api import rest_api_source

    pages = {
        "cursor": {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"},
        "page_number": {"type": "page_number", "base_page": 1, "total_path": "pages"},
    }
    source = rest_api_source(
        {
            "client": {"base_url": url, "paginator": pages[paging]},
            "resources": [{"name": "records", "endpoint": {"path": "records", "data_selector": "data"}}],
        },
        # lists stay as JSON in a column: a table for each level of lists would take half as long again
        max_table_nesting=0,
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=(folder / "lake").as_uri()),
        dataset_name="records",
    )
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    _, url, paging, _, _, folder = sys.argv
    main(url, paging, Path(folder))

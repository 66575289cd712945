"""The records through Airbyte's CDK: a declarative manifest, read to the standard output.

`with_airbyte.py URL PAGING SIZE SHAPE FOLDER`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

MANIFEST = """
version: 6.0.0
type: DeclarativeSource
check: { type: CheckStream, stream_names: [records] }
spec: { type: Spec, connection_specification: { type: object, properties: {} } }
streams:
  - type: DeclarativeStream
    name: records
    schema_loader: { type: InlineSchemaLoader, schema: { type: object, additionalProperties: true } }
    retriever:
      type: SimpleRetriever
      record_selector: { type: RecordSelector, extractor: { type: DpathExtractor, field_path: [data] } }
      requester: { type: HttpRequester, url_base: URL, path: /records, http_method: GET }
      paginator:
        type: DefaultPaginator
        page_token_option: { type: RequestOption, inject_into: request_parameter, field_name: FIELD }
        pagination_strategy: STRATEGY
"""
PAGING = {
    "cursor": (
        "cursor",
        '{ type: CursorPagination, cursor_value: "{{ response.next }}", stop_condition: "{{ not response.next }}" }',
    ),
    "page_number": (
        "page",
        '{ type: CursorPagination, cursor_value: "{{ response.page + 1 }}", '
        'stop_condition: "{{ response.page >= response.pages }}" }',
    ),
}


def main(url: str, paging: str, folder: Path) -> None:
    """Write the manifest and what belongs to it, and read."""
    from airbyte_cdk.cli.source_declarative_manifest import run

    field, strategy = PAGING[paging]
    text = MANIFEST.replace("URL", url).replace("FIELD", field).replace("STRATEGY", strategy)
    (folder / "manifest.yaml").write_text(text)
    (folder / "config.json").write_text("{}")
    stream = {"name": "records", "json_schema": {"type": "object"}, "supported_sync_modes": ["full_refresh"]}
    chosen = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
    (folder / "catalog.json").write_text(json.dumps({"streams": [chosen]}))
    words = {"config": "config.json", "catalog": "catalog.json", "manifest-path": "manifest.yaml"}
    sys.argv[1:] = ["read", *(word for name, file in words.items() for word in (f"--{name}", str(folder / file)))]
    run()


if __name__ == "__main__":
    _, url, paging, _, _, folder = sys.argv
    main(url, paging, Path(folder))

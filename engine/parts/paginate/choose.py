"""One of several ways to page, named by a param."""

from typing import ClassVar

from pydantic import Field

from engine.core.kinds import Paginator
from engine.core.settle import Choice


class Choose(Choice):
    """Pages as the option says that a param names, and stops as that one does. It is taken when a run is planned.

    Misbehaving: As the option that is taken does.

    Example:
        params:
          paging: { doc: "page, offset or none", default: page }
        endpoints:
          hosts:
            get: /hosts
            records: items
            paginate:
              choose:
                by: ${param.paging}
                options:
                  page: { page_number: { send: query.page, size: { send: query.size, value: 100 } } }
                  offset: { offset: { send: query.offset, size: { send: query.limit, value: 100 } } }
                  none: none
    """

    kind: ClassVar[str] = "paginate"

    options: dict[str, Paginator] = Field(
        min_length=1, description="The ways to page, each by a name of the page's own."
    )

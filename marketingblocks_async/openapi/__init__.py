"""The API as an OpenAPI 3.1 document, generated from the endpoint table and the models.

``marketingblocks openapi`` prints it. Every statement in it carries ``x-evidence``: ``documented``,
``inferred`` or ``unknown``.
"""

from .document import OPENAPI_VERSION, document, document_json
from .evidence import Evidence
from .table import reference_table

__all__ = ["OPENAPI_VERSION", "Evidence", "document", "document_json", "reference_table"]

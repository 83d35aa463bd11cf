"""What schemathesis is told of this API: of a body of lines, any JSON is a line."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(_context, value):
    """The bytes of one line."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()

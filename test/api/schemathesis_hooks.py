"""Makes most generated requests reach a graph that is there; what is left as generated tests the refusals."""

import os

import schemathesis

GRAPH = os.environ["GRAPH_ID"]


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("assistant_id"), str) and len(body["assistant_id"]) % 4 != 3:
        return {**body, "assistant_id": GRAPH}
    return body

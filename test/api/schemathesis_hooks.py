"""Makes most generated requests reach a graph that is there, and none wait for a day; what is left as generated tests the refusals."""

import os

import schemathesis

GRAPH = os.environ["GRAPH_ID"]


def reachable(body):
    if not isinstance(body, dict):
        return body
    changed = {name: value for name, value in body.items() if name not in ("after_seconds", "afterSeconds")}
    for name in ("assistant_id", "assistantId", "graph_id"):
        if isinstance(changed.get(name), str) and len(changed[name]) % 4 != 3:
            changed[name] = GRAPH
    return changed


@schemathesis.hook
def map_body(context, body):
    return [reachable(one) for one in body] if isinstance(body, list) else reachable(body)

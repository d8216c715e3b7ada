# SPDX-License-Identifier: MIT
# Copyright (c) 2026 Colloquy contributors
#
# This file is a separate program. It is licensed under MIT, not under the Apache License 2.0 of the
# rest of Colloquy: it imports the package "secantusdb", which is licensed under GPL-2.0-only. The
# Apache License 2.0 is not compatible with GPL-2.0-only. MIT is compatible with both.
#
# Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
# associated documentation files (the "Software"), to deal in the Software without restriction,
# including without limitation the rights to use, copy, modify, merge, publish, distribute,
# sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions:
#
# The above copyright notice and this permission notice shall be included in all copies or
# substantial portions of the Software.
#
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
# NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
# NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
# DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
# OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""Starts SecantusDB 0.7.0b3: the command of the package, with three changes."""

import functools
import sys
import time

from secantus import cli, commands, cursors, storage

DEFAULT_WAIT_MS = 1000

find_keys_by_index = storage.Storage._try_index_id_keys
answer_get_more = commands._HANDLERS["getMore"]


def find_keys_by_id(self, db, coll, filter, **options):
    """Looks documents up by `_id` if the filter contains `_id`.

    SecantusDB itself does this only if the filter contains nothing else. Otherwise it scans the
    collection, for writes too. The caller of this function checks the rest of the filter, as it
    does after a look-up by any other index.
    """
    if "_id" in filter and storage._id_point_lookup_keys(filter["_id"]) is not None:
        filter = {"_id": filter["_id"]}
    return find_keys_by_index(self, db, coll, filter, **options)


def waits_for_data(doc, ctx):
    try:
        cursor = ctx.cursors.get(int(doc["getMore"]))
        return cursor.await_data and doc.get("maxTimeMS") != 0
    except (KeyError, TypeError, ValueError, cursors.CursorNotFound):
        return False


def get_more(doc, ctx):
    """Answers `getMore` at the end of a change stream when there is data or the wait is over.

    SecantusDB itself answers with an empty batch at every write of the whole server. MongoDB does
    not.
    """
    if not waits_for_data(doc, ctx):
        return answer_get_more(doc, ctx)
    deadline = time.monotonic() + (doc.get("maxTimeMS") or DEFAULT_WAIT_MS) / 1000
    while True:
        reply = answer_get_more(doc, ctx)
        remaining_ms = int((deadline - time.monotonic()) * 1000)
        cursor = reply.get("cursor")
        is_over = not cursor or cursor["nextBatch"] or not cursor["id"]
        if is_over or remaining_ms < 1 or ctx.storage._shutting_down:
            return reply
        doc = {**doc, "maxTimeMS": remaining_ms}


storage.Storage._try_index_id_keys = find_keys_by_id
commands._HANDLERS["getMore"] = get_more
# The settings have a period for the TTL sweep, but the command does not pass it to the server.
# expiry.ts explains why this sweep is switched off, and deletes the documents instead.
cli.SecantusDBServer = functools.partial(cli.SecantusDBServer, ttl_sweep_seconds=0)
sys.exit(cli.main())

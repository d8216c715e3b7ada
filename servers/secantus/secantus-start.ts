/**
 * The program that starts SecantusDB 0.7.0b3, in its own language. It is the package's own command but for two things that make a database
 * slower the more it holds, and one that makes it answer for nothing:
 *
 * - Its settings name the period of the TTL sweep, but the command does not hand it on, so the sweep is switched off here
 *   (`secantus-expiry.ts` says why, and does it instead).
 * - A filter that has more than `_id` is answered by reading the whole collection, for writes too. `_id` alone finds the documents that can match, and
 *   whoever asks matches the rest of the filter itself, as with any other index.
 * - Who waits at the end of a change stream was answered, with nothing, at every write of the whole server. MongoDB lets him wait until there is
 *   something for him, or his time is over.
 */
export const SECANTUS_START = `import functools
import sys
import time

from secantus import cli, commands, cursors, storage

by_index = storage.Storage._try_index_id_keys


def by_id(self, db, coll, filter, **options):
    if "_id" in filter and storage._id_point_lookup_keys(filter["_id"]) is not None:
        filter = {"_id": filter["_id"]}
    return by_index(self, db, coll, filter, **options)


get_more = commands._HANDLERS["getMore"]


def waits(doc, ctx):
    try:
        return ctx.cursors.get(int(doc["getMore"])).await_data and doc.get("maxTimeMS") != 0
    except (KeyError, TypeError, ValueError, cursors.CursorNotFound):
        return False


def get_more_at_last(doc, ctx):
    if not waits(doc, ctx):
        return get_more(doc, ctx)
    end = time.monotonic() + (doc.get("maxTimeMS") or 1000) / 1000
    while True:
        reply = get_more(doc, ctx)
        left = int((end - time.monotonic()) * 1000)
        cursor = reply.get("cursor")
        if not cursor or cursor["nextBatch"] or not cursor["id"] or left < 1 or ctx.storage._shutting_down:
            return reply
        doc = {**doc, "maxTimeMS": left}


commands._HANDLERS["getMore"] = get_more_at_last
storage.Storage._try_index_id_keys = by_id
cli.SecantusDBServer = functools.partial(cli.SecantusDBServer, ttl_sweep_seconds=0)
sys.exit(cli.main())
`;

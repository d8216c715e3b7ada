/**
 * The program that starts SecantusDB 0.7.0b3, in its own language. It is the package's own command but for two things that make a database
 * slower the more it holds:
 *
 * - Its settings name the period of the TTL sweep, but the command does not hand it on, so the sweep is switched off here
 *   (`secantus-expiry.ts` says why, and does it instead).
 * - A filter that has more than `_id` is answered by reading the whole collection, for writes too. `_id` alone finds the documents that can match, and
 *   whoever asks matches the rest of the filter itself, as with any other index.
 */
export const SECANTUS_START = `import functools
import sys

from secantus import cli, storage

by_index = storage.Storage._try_index_id_keys


def by_id(self, db, coll, filter, **options):
    if "_id" in filter and storage._id_point_lookup_keys(filter["_id"]) is not None:
        filter = {"_id": filter["_id"]}
    return by_index(self, db, coll, filter, **options)


storage.Storage._try_index_id_keys = by_id
cli.SecantusDBServer = functools.partial(cli.SecantusDBServer, ttl_sweep_seconds=0)
sys.exit(cli.main())
`;

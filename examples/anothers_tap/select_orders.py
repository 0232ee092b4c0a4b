"""Choose in a catalog (standard input) the table of orders with all its columns, by its column of changes."""

from __future__ import annotations

import json
import sys

table, changes = sys.argv[1:]
catalog = json.load(sys.stdin)
catalog["streams"] = [stream for stream in catalog["streams"] if stream["tap_stream_id"] == table]
for stream in catalog["streams"]:
    stream.update(replication_method="INCREMENTAL", replication_key=changes)
    for entry in stream["metadata"]:
        entry["metadata"]["selected"] = True
json.dump(catalog, sys.stdout)

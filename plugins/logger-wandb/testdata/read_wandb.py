"""Prints what wandb's own reader makes of an offline run's folder, as JSON.

Run: python testdata/read_wandb.py FOLDER
Needs: wandb 0.25.

Every record is parsed by wandb's messages, and none may have fields that they do
not know.
"""

import glob
import hashlib
import json
import math
import os
import sys

from wandb.proto import wandb_internal_pb2 as pb
from wandb.sdk.internal.datastore import DataStore
from wandb.sdk.lib import config_util, proto_util
from google.protobuf.unknown_fields import UnknownFieldSet


def finite(value):
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def check_known(message):
    assert len(UnknownFieldSet(message)) == 0, message
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for one in value if not hasattr(value, "ListFields") else [value]:
            check_known(one)


def main(folder):
    (path,) = glob.glob(os.path.join(glob.escape(folder), "*.wandb"))
    store = DataStore()
    store.open_for_scan(path)
    out = {"kinds": [], "history": [], "uuids": [], "summary": {}, "metrics": {}, "files": {}, "output": ""}
    while True:
        data = store.scan_data()
        if data is None:
            break
        r = pb.Record()
        r.ParseFromString(data)
        check_known(r)
        kind = r.WhichOneof("record_type")
        assert kind, r
        out["kinds"].append(kind)
        assert r.num == len(out["kinds"]), r.num
        if kind == "run":
            config = proto_util.dict_from_proto_list(r.run.config.update)
            out["run"] = {
                "id": r.run.run_id, "entity": r.run.entity, "project": r.run.project, "group": r.run.run_group,
                "job_type": r.run.job_type, "name": r.run.display_name, "notes": r.run.notes,
                "tags": list(r.run.tags), "start": r.run.start_time.ToMicroseconds() / 1e6,
            }
            out["config"] = config
        elif kind == "config":
            out["config"].update(proto_util.dict_from_proto_list(r.config.update))
        elif kind == "history":
            row = proto_util.dict_from_proto_list(r.history.item)
            assert row["_step"] == r.history.step.num, row
            out["history"].append(row)
            out["uuids"].append(r.uuid)
        elif kind == "summary":
            out["summary"].update(proto_util.dict_from_proto_list(r.summary.update))
        elif kind == "metric":
            out["metrics"][r.metric.name] = r.metric.step_metric
        elif kind == "output_raw":
            out["output"] += r.output_raw.line
        elif kind == "files":
            for f in r.files.files:
                with open(os.path.join(folder, "files", f.path), "rb") as content:
                    out["files"][f.path] = hashlib.sha256(content.read()).hexdigest()
        elif kind == "exit":
            out["exit"] = {"code": r.exit.exit_code, "runtime": r.exit.runtime}
    with open(os.path.join(folder, "files", "wandb-summary.json")) as f:
        summary = json.load(f)
    runtime = summary.pop("_wandb"), out["summary"].pop("_wandb")
    assert finite(summary) == finite(out["summary"]) and runtime[0] == runtime[1], (summary, out["summary"])
    config = config_util.dict_from_config_file(os.path.join(folder, "files", "config.yaml"), must_exist=True)
    assert config == out["config"], (config, out["config"])
    json.dump(finite(out), sys.stdout, allow_nan=False)


if __name__ == "__main__":
    main(sys.argv[1])

"""Makes golden.wandb and framing.json with wandb's own messages and writer.

Run: python testdata/gen_datastore.py
Needs: wandb 0.25 (protobuf comes with it).

golden.wandb is a log with one record of each kind that hone writes; TestGolden
writes the same log in Go and compares every byte. framing.json holds the size
and SHA-256 of logs of plain bytes whose lengths meet the borders of blocks.
"""

import hashlib
import json
import os
import tempfile

from wandb.proto import wandb_internal_pb2 as pb
from wandb.sdk.internal.datastore import DataStore

HERE = os.path.dirname(os.path.abspath(__file__))


def item(message, value, *key):
    if len(key) == 1:
        message.key = key[0]
    else:
        message.nested_key.extend(key)
    message.value_json = value


def records():
    r = pb.Record(num=1)
    r.header.version_info.producer = "hone 1.2.3"
    r.header.version_info.min_consumer = "0.40.0"
    yield r

    r = pb.Record(num=2)
    run = r.run
    run.run_id, run.entity, run.project = "ab12cd34", "team", "support"
    item(run.config.update.add(), '{"rank":16}', "adapter")
    item(run.config.update.add(), '"x"', "model", "source")
    run.run_group, run.job_type, run.display_name, run.notes = "g", "train", "náme", "n"
    run.tags.extend(["a", "b"])
    run.host = "box"
    run.start_time.seconds, run.start_time.nanos = 1700000000, 250000000
    yield r

    r = pb.Record(num=3)
    e = r.environment
    e.os, e.program, e.root, e.host, e.cpu_count_logical, e.writer_id = "linux", "hone", "/r", "box", 2, "w"
    e.started_at.seconds = 1700000000
    e.args.extend(["run", "x.hcl"])
    yield r

    r = pb.Record(num=4)
    r.metric.name = "step"
    r.metric.options.defined = r.metric.options.hidden = True
    yield r

    r = pb.Record(num=5)
    r.metric.name, r.metric.step_metric = "train/loss", "step"
    r.metric.options.defined = r.metric.options.step_sync = True
    yield r

    r = pb.Record(num=6)
    item(r.summary.update.add(), "2.5", "train/loss")
    item(r.summary.update.add(), "3", "_wandb", "runtime")
    yield r

    r = pb.Record(num=7, uuid="hone/1/41")
    item(r.history.item.add(), "NaN", "train/loss")
    item(r.history.item.add(), "12", "_step")
    r.history.step.num = 12
    yield r

    r = pb.Record(num=8)
    r.files.files.add(path="media/images/a.png")
    yield r

    r = pb.Record(num=9)
    r.output_raw.output_type = pb.OutputRawRecord.STDOUT
    r.output_raw.timestamp.seconds = 1700000001
    r.output_raw.line = "hello\n"
    yield r

    r = pb.Record(num=10)
    r.output_raw.output_type = pb.OutputRawRecord.STDERR
    r.output_raw.timestamp.nanos = 5
    r.output_raw.line = "oh"
    yield r

    r = pb.Record(num=11)
    item(r.config.update.add(), "1e-05", "learning_rate")
    yield r

    r = pb.Record(num=12)
    r.exit.exit_code, r.exit.runtime = 1, 77
    yield r


def write(path, payloads):
    if os.path.exists(path):
        os.remove(path)
    store = DataStore()
    store.open_for_write(path)
    for payload in payloads:
        store._write_data(payload)
    store.close()


BLOCK, HEAD = 32768, 7
# Each list begins behind the file's head of 7 bytes.
FRAMINGS = {
    "small": [0, 1, 2, 1000],
    "fills the block": [BLOCK - 2 * HEAD, 5],
    "one byte too long for the block": [BLOCK - 2 * HEAD + 1, 5],
    "leaves room for a head alone": [BLOCK - 3 * HEAD, 5],
    "leaves room for a head alone, then empty": [BLOCK - 3 * HEAD, 0, 9],
    "leaves six bytes": [BLOCK - 2 * HEAD - 6, 5],
    "leaves one byte": [BLOCK - 2 * HEAD - 1, 70000],
    "many blocks": [200000, 3, 100000, BLOCK - HEAD, 2 * (BLOCK - HEAD)],
}


def main():
    write(os.path.join(HERE, "golden.wandb"), [r.SerializeToString() for r in records()])
    framings = {}
    for name, lengths in FRAMINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.wandb")
            write(path, [bytes(i % 251 for i in range(n)) for n in lengths])
            data = open(path, "rb").read()
        framings[name] = {"lengths": lengths, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    with open(os.path.join(HERE, "framing.json"), "w") as f:
        json.dump(framings, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()

"""Prints what TensorBoard makes of a folder of event files, as JSON.

Run: python testdata/read_events.py FOLDER
Needs: tensorboard 2.21.

The folder is read by the class that TensorBoard's server uses and, for the
scalars, by the one that people use in notebooks; the two must agree.
"""

import json
import math
import sys

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.util import tensor_util


def number(v):
    v = float(v)
    return v if math.isfinite(v) else str(v)


def hparam(value):
    return getattr(value, value.WhichOneof("kind"))


def main(folder):
    unlimited = {"tensors": 0}
    acc = plugin_event_accumulator.EventAccumulator(folder, size_guidance=unlimited)
    acc.Reload()
    out = {"scalars": {}, "texts": {}, "histograms": {}, "images": {}, "hparams": {}}
    for tag in sorted(acc.Tags()["tensors"]):
        plugin = acc.SummaryMetadata(tag).plugin_data.plugin_name
        values = [(t.step, t.wall_time, tensor_util.make_ndarray(t.tensor_proto)) for t in acc.Tensors(tag)]
        if plugin == "scalars":
            out["scalars"][tag] = [[step, wall, number(v)] for step, wall, v in values]
        elif plugin == "text":
            text = lambda v: v.decode() if isinstance(v, bytes) else [text(x) for x in v]
            out["texts"][tag] = [[step, text(v.tolist())] for step, _, v in values]
        elif plugin == "histograms":
            out["histograms"][tag] = [[step, v.tolist()] for step, _, v in values]
        elif plugin == "images":
            out["images"][tag] = [[step, int(v[0]), int(v[1]), v[2].hex()] for step, _, v in values]
        elif plugin == hparams.PLUGIN_NAME:
            content = acc.SummaryMetadata(tag).plugin_data.content
            if tag == hparams.EXPERIMENT_TAG:
                e = hparams.parse_experiment_plugin_data(content)
                out["hparams"]["experiment"] = {
                    "name": e.name,
                    "hparams": {h.name: h.type for h in e.hparam_infos},
                    "metrics": [m.name.tag for m in e.metric_infos],
                }
            elif tag == hparams.SESSION_START_INFO_TAG:
                s = hparams.parse_session_start_info_plugin_data(content)
                out["hparams"]["start"] = {
                    "time": s.start_time_secs,
                    "values": {k: hparam(v) for k, v in s.hparams.items()},
                }
            elif tag == hparams.SESSION_END_INFO_TAG:
                out["hparams"]["status"] = hparams.parse_session_end_info_plugin_data(content).status
    old = event_accumulator.EventAccumulator(folder, size_guidance={"scalars": 0})
    old.Reload()
    scalars = {tag: [[s.step, s.wall_time, number(s.value)] for s in old.Scalars(tag)] for tag in old.Tags()["scalars"]}
    assert scalars == out["scalars"], (scalars, out["scalars"])
    json.dump(out, sys.stdout, allow_nan=False)


if __name__ == "__main__":
    main(sys.argv[1])

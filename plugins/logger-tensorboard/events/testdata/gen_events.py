"""Makes golden.tfevents and dot.png with TensorBoard's own messages and writer.

Run: python testdata/gen_events.py
Needs: tensorboard 2.21 (protobuf comes with it).

TestGolden makes the same events in Go and compares every byte.
"""

import io
import os
import struct
import zlib

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = os.path.dirname(os.path.abspath(__file__))
TENSOR, STRING = summary_pb2.DATA_CLASS_TENSOR, 7


def png():
    """A 3 x 2 RGB image."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(range(9 * y, 9 * y + 9)) for y in range(2))
    head = struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def event(at, step=0, mark=None, **what):
    e = event_pb2.Event(wall_time=at, step=step, **what)
    if mark:
        e.source_metadata.writer = mark
    return e


def text(tag, shape, cells):
    value = summary_pb2.Summary.Value(tag=tag)
    value.tensor.dtype = STRING
    value.tensor.tensor_shape.SetInParent()
    for size in shape:
        value.tensor.tensor_shape.dim.add(size=size)
    value.tensor.string_val.extend(c.encode() for c in cells)
    value.metadata.plugin_data.plugin_name = "text"
    value.metadata.data_class = TENSOR
    return value


def hparams_value(tag, **part):
    metadata = hparams.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**part))
    metadata.data_class = TENSOR
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=hparams.NULL_TENSOR)


def session_start(name, **value):
    """One hyperparameter: in what order a map is written is nobody's promise."""
    start = plugin_data_pb2.SessionStartInfo(group_name="g", start_time_secs=1700000000)
    for field, v in value.items():
        setattr(start.hparams[name], field, v)
    return hparams_value(hparams.SESSION_START_INFO_TAG, session_start_info=start)


def experiment():
    e = api_pb2.Experiment(name="support", time_created_secs=1700000000)
    for name, kind in [
        ("adapter.rank", api_pb2.DATA_TYPE_FLOAT64),
        ("model.source", api_pb2.DATA_TYPE_STRING),
        ("train.packing", api_pb2.DATA_TYPE_BOOL),
        ("warmup", api_pb2.DATA_TYPE_FLOAT64),
    ]:
        e.hparam_infos.add(name=name, type=kind)
    for tag in ["train/loss", "eval/loss"]:
        e.metric_infos.add(name=api_pb2.MetricName(tag=tag))
    return e


def events(image):
    summary = lambda *values: summary_pb2.Summary(value=values)
    scalar = lambda tag, v: summary_pb2.Summary.Value(tag=tag, simple_value=v)
    yield event(1700000000.25, file_version="brain.Event:2")
    yield event(1700000000.5, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
    yield event(
        1700000000.5,
        summary=summary(
            hparams_value(hparams.EXPERIMENT_TAG, experiment=experiment()),
            session_start("adapter.rank", number_value=16),
            session_start("model.source", string_value="hf://a/b"),
            session_start("train.packing", bool_value=False),
            session_start("warmup", number_value=0),
        ),
    )
    yield event(1700000001.0, 1, "hone/1/1", summary=summary(scalar("train/loss", 2.5), scalar("train/grad_norm", 0.0)))
    nan, inf = float("nan"), float("inf")
    yield event(1700000002.0, 2, "hone/1/2", summary=summary(scalar("a", nan), scalar("b", -inf), scalar("c", 1e300)))
    yield event(
        1700000003.0,
        3,
        "hone/1/3",
        summary=summary(
            text("eval/sample", [], ["# héllo\n\nworld"]),
            text("table", [3, 2], ["prompt", "answer", "1+1", "2", "", "x"]),
        ),
    )
    histogram = summary_pb2.HistogramProto(
        min=-1, max=2, num=6, sum=3.5, sum_squares=9.25, bucket_limit=[-1, 0, 2, 4], bucket=[0, 4, 2, 0]
    )
    picture = summary_pb2.Summary.Image(height=2, width=3, colorspace=3, encoded_image_string=image)
    yield event(
        1700000004.0,
        4,
        "hone/2/4",
        summary=summary(
            summary_pb2.Summary.Value(tag="weights", histo=histogram),
            summary_pb2.Summary.Value(tag="image", image=picture),
        ),
    )
    yield event(1700000005.0, 3, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=1700000006)
    yield event(1700000006.0, summary=summary(hparams_value(hparams.SESSION_END_INFO_TAG, session_end_info=end)))


def main():
    image = png()
    with open(os.path.join(HERE, "dot.png"), "wb") as f:
        f.write(image)
    out = io.BytesIO()
    writer = RecordWriter(out)
    for e in events(image):
        writer.write(e.SerializeToString(deterministic=True))
    with open(os.path.join(HERE, "golden.tfevents"), "wb") as f:
        f.write(out.getvalue())


if __name__ == "__main__":
    main()

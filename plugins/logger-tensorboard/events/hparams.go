package events

import (
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Tags, fields and numbers of the hparams dashboard. Each part of a session is
// the metadata of a tag of its own; the tag's value is an empty tensor.
const (
	experimentTag   = "_hparams_/experiment"
	sessionStartTag = "_hparams_/session_start_info"
	sessionEndTag   = "_hparams_/session_end_info"
	hparamsPlugin   = "hparams"

	hparamsExperiment = 2
	hparamsStart      = 3
	hparamsEnd        = 4

	experimentCreated = 3
	experimentHParams = 4
	experimentMetrics = 5
	experimentName    = 6

	hparamName   = 1
	hparamType   = 4
	hparamString = 1
	hparamBool   = 2
	hparamNumber = 3

	metricName = 1
	metricTag  = 2

	startHParams = 1
	startGroup   = 4
	startTime    = 5

	endStatus = 1
	endTime   = 2

	mapKey   = 1
	mapValue = 2

	// Of google.protobuf.Value.
	protoNumber = 2
	protoString = 3
	protoBool   = 4
)

// HParams are a run's hyperparameters by name: strings, booleans and float64s.
// Values of other types are left out.
type HParams map[string]any

// Experiment describes the columns of the hparams dashboard: the names and types
// of the hyperparameters, and the tags of the scalars to show beside them.
// TensorBoard takes the experiment of one run for all the runs beside it, so
// runs should name the same columns.
func Experiment(name string, created time.Time, hparams HParams, metrics []string) Value {
	m := message(nil).double(experimentCreated, seconds(created))
	for _, key := range hparams.names() {
		info := message(nil).text(hparamName, key).int64(hparamType, hparamKind(hparams[key]))
		m = m.sub(experimentHParams, info)
	}
	for _, tag := range metrics {
		m = m.sub(experimentMetrics, message(nil).sub(metricName, message(nil).text(metricTag, tag)))
	}
	return hparamsValue(experimentTag, hparamsExperiment, m.text(experimentName, name))
}

// SessionStart are the hyperparameters of one run. Runs of the same group are
// repetitions of one another; the group may be empty.
func SessionStart(hparams HParams, group string, start time.Time) Value {
	var m message
	for _, key := range hparams.names() {
		entry := message(nil).textAlways(mapKey, key).sub(mapValue, protoValue(hparams[key]))
		m = m.sub(startHParams, entry)
	}
	m = m.text(startGroup, group).double(startTime, seconds(start))
	return hparamsValue(sessionStartTag, hparamsStart, m)
}

// SessionStatus is how a run ended.
type SessionStatus int64

// The statuses of a run.
const (
	Success SessionStatus = 1
	Failure SessionStatus = 2
)

// SessionEnd is the end of a run. Readers keep the first that they see of a run.
func SessionEnd(status SessionStatus, end time.Time) Value {
	m := message(nil).int64(endStatus, int64(status)).double(endTime, seconds(end))
	return hparamsValue(sessionEndTag, hparamsEnd, m)
}

// hparamsValue puts a message where the dashboard looks for it.
func hparamsValue(tag string, part protowire.Number, content message) Value {
	plugin := message(nil).text(pluginName, hparamsPlugin).bytes(pluginContent, message(nil).sub(part, content))
	metadata := message(nil).sub(metadataPlugin, plugin).int64(metadataDataClass, dataClassTensor)
	tensor := message(nil).
		int64(tensorType, typeFloat).
		sub(tensorShape, message(nil).sub(shapeDim, nil)) // one dimension, of size 0
	return Value{message(nil).text(valueTag, tag).sub(valueTensor, tensor).sub(valueMetadata, metadata)}
}

// names are the sorted names of the values that can be written.
func (h HParams) names() []string {
	var names []string
	for name, value := range h {
		if hparamKind(value) != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func hparamKind(value any) int64 {
	switch value.(type) {
	case string:
		return hparamString
	case bool:
		return hparamBool
	case float64:
		return hparamNumber
	}
	return 0
}

func protoValue(value any) message {
	switch v := value.(type) {
	case string:
		return message(nil).textAlways(protoString, v)
	case bool:
		return message(nil).boolAlways(protoBool, v)
	case float64:
		return message(nil).doubleAlways(protoNumber, v)
	}
	return nil
}

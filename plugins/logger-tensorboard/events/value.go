package events

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
)

// A Value is one tagged value of an event, made by one of this package's
// functions.
type Value struct {
	encoded message
}

// Fields of the messages Summary.Value, SummaryMetadata, Summary.Image,
// HistogramProto and TensorProto.
const (
	valueTag      = 1
	valueSimple   = 2
	valueImage    = 4
	valueHisto    = 5
	valueTensor   = 8
	valueMetadata = 9

	metadataPlugin    = 1
	metadataDataClass = 4
	pluginName        = 1
	pluginContent     = 2
	dataClassTensor   = 2

	imageHeight     = 1
	imageWidth      = 2
	imageColorspace = 3
	imageEncoded    = 4

	histoMin        = 1
	histoMax        = 2
	histoNum        = 3
	histoSum        = 4
	histoSumSquares = 5
	histoLimits     = 6
	histoCounts     = 7

	tensorType    = 1
	tensorShape   = 2
	tensorStrings = 8
	shapeDim      = 2
	dimSize       = 1
	typeFloat     = 1
	typeString    = 7
)

// Scalar is a number. TensorBoard holds numbers in float32: 123456789 becomes
// 123456792. NaN and infinities are kept.
func Scalar(tag string, v float64) Value {
	return Value{message(nil).text(valueTag, tag).floatAlways(valueSimple, float32(v))}
}

// Text is a text, which TensorBoard renders as Markdown.
func Text(tag, text string) Value {
	return textValue(tag, nil, []string{text})
}

// NewTable is a table with a head row. Rows of another length than columns are
// an error, as is a table without columns.
func NewTable(tag string, columns []string, rows [][]string) (Value, error) {
	if len(columns) == 0 {
		return Value{}, fmt.Errorf("table %q has no columns", tag)
	}
	cells := append([]string(nil), columns...)
	for i, row := range rows {
		if len(row) != len(columns) {
			return Value{}, fmt.Errorf("table %q: row %d has %d cells, the table has %d columns", tag, i, len(row), len(columns))
		}
		cells = append(cells, row...)
	}
	return textValue(tag, []int64{int64(len(rows) + 1), int64(len(columns))}, cells), nil
}

// textValue is a tensor of strings for the text dashboard.
func textValue(tag string, shape []int64, cells []string) Value {
	var dims message
	for _, size := range shape {
		dims = dims.sub(shapeDim, message(nil).int64(dimSize, size))
	}
	tensor := message(nil).int64(tensorType, typeString).sub(tensorShape, dims)
	for _, cell := range cells {
		tensor = tensor.textAlways(tensorStrings, cell)
	}
	metadata := message(nil).
		sub(metadataPlugin, message(nil).text(pluginName, "text")).
		int64(metadataDataClass, dataClassTensor)
	return Value{message(nil).text(valueTag, tag).sub(valueTensor, tensor).sub(valueMetadata, metadata)}
}

// A Histogram is how often values fell between edges: Counts[i] of them lie from
// Edges[i] to Edges[i+1].
type Histogram struct {
	Edges      []float64 // rising; one more than Counts
	Counts     []float64 // not negative
	Sum        float64   // of the values
	SumSquares float64
}

// NewHistogram is a histogram's value. Edges that are not finite and rising,
// counts that are negative, and lengths that do not fit are errors.
func NewHistogram(tag string, h Histogram) (Value, error) {
	if err := h.check(); err != nil {
		return Value{}, fmt.Errorf("histogram %q: %w", tag, err)
	}
	// Readers drop empty buckets at both ends and take min and max for the outer
	// edges of what is left, so these must be the edges of the filled buckets.
	first, last, num := -1, -1, 0.0
	for i, count := range h.Counts {
		if count == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last, num = i, num+count
	}
	m := message(nil)
	if first >= 0 {
		m = m.double(histoMin, h.Edges[first]).double(histoMax, h.Edges[last+1])
	}
	m = m.double(histoNum, num).double(histoSum, h.Sum).double(histoSumSquares, h.SumSquares)
	if len(h.Counts) > 0 {
		m = m.packedDoubles(histoLimits, h.Edges[1:]).packedDoubles(histoCounts, h.Counts)
	}
	return Value{message(nil).text(valueTag, tag).sub(valueHisto, m)}, nil
}

func (h Histogram) check() error {
	if len(h.Edges) != len(h.Counts)+1 && len(h.Edges)+len(h.Counts) > 0 {
		return fmt.Errorf("%d edges for %d counts, there must be one more", len(h.Edges), len(h.Counts))
	}
	for i, edge := range h.Edges {
		if math.IsNaN(edge) || math.IsInf(edge, 0) {
			return fmt.Errorf("edge %d is %v", i, edge)
		}
		if i > 0 && edge <= h.Edges[i-1] {
			return fmt.Errorf("edge %d is %v, not above %v", i, edge, h.Edges[i-1])
		}
	}
	for i, count := range h.Counts {
		if !(count >= 0) || math.IsInf(count, 0) {
			return fmt.Errorf("count %d is %v", i, count)
		}
	}
	return nil
}

// NewImage is an image, given as the bytes of a PNG file.
func NewImage(tag string, data []byte) (Value, error) {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return Value{}, fmt.Errorf("image %q is no PNG file: %w", tag, err)
	}
	m := message(nil).
		int64(imageHeight, int64(config.Height)).
		int64(imageWidth, int64(config.Width)).
		int64(imageColorspace, channels(config.ColorModel)).
		bytes(imageEncoded, data)
	return Value{message(nil).text(valueTag, tag).sub(valueImage, m)}, nil
}

// channels is the number by which the format names a colour space: 1 grey, 3
// RGB, 4 RGBA. A PNG's RGB decodes to the RGBA model, its RGBA to NRGBA.
func channels(model color.Model) int64 {
	switch model {
	case color.GrayModel, color.Gray16Model:
		return 1
	case color.NRGBAModel, color.NRGBA64Model:
		return 4
	}
	return 3
}

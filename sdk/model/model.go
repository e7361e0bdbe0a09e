// Package model is what the author of a model plugin implements: a model's
// configuration becomes a Graph. A model plugin holds no numeric code and sees
// no tensors; what it builds runs on every kernels plugin.
//
//	func main() { model.Serve(llama{}) }
//
// Packages hfconfig and rope, below this one, read configurations and compute
// RoPE frequencies.
package model

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
)

// A Model answers for one or more architectures.
//
// Life: the host starts the plugin whenever it needs one of its answers and
// keeps it for the length of that command. Every call stands alone, in any order
// and from several goroutines; a Model keeps no state between them.
type Model interface {
	// Describe says which architectures the plugin answers for. The host asks
	// once and keeps the answer for as long as the binary is the same.
	Describe(ctx context.Context) (*Description, error)

	// Build turns a configuration into a Graph. It answers a fault.InvalidModel
	// for a configuration that makes no sense, naming the key, and a
	// fault.Unsupported for one that it cannot express.
	Build(ctx context.Context, req *BuildRequest) (*graph.Graph, error)

	// FromGGUF turns the metadata of a GGUF file into the configuration that
	// Build takes, and says where in the file each tensor of a checkpoint stands.
	// The host replaces the tensors in the Graph's sources by these expressions.
	FromGGUF(ctx context.Context, req *FromGGUFRequest) (*FromGGUFResponse, error)

	// ToGGUF says how a checkpoint of this configuration is written as GGUF. The
	// tokenizer's and the file's own keys are the host's business.
	ToGGUF(ctx context.Context, req *ToGGUFRequest) (*ToGGUFResponse, error)
}

// A Description is what a model plugin says of itself.
type Description struct {
	Name              string   // the plugin's, such as llama
	Version           string   // semantic version of the plugin
	Architectures     []string // as in a configuration's "architectures": LlamaForCausalLM
	GGUFArchitectures []string // as in general.architecture: llama; see WithExperts
	// Capabilities are the optional parts of the protocol that the plugin has.
	Capabilities []string
}

// WithExperts behind a name among [Description.GGUFArchitectures] means those of the
// architecture's files alone whose key expert_count is above 0. For these a plugin
// that says so goes before one that answers for all files of the architecture.
const WithExperts = "+experts"

// A BuildRequest asks for a Graph.
type BuildRequest struct {
	// Configuration is the checkpoint's config.json.
	Configuration []byte
	// MaxLength is the longest document of the run, in tokens. What depends on
	// length, such as RoPE scaling, is fixed by it. 0: the model's own length.
	MaxLength int
	// Untied says that the checkpoint holds both sides of a tie and that they
	// differ, so that they are two parameters whatever the configuration says.
	Untied bool
	// Options are settings of the run file for this model.
	Options map[string]string
}

// A FromGGUFRequest holds what a GGUF file says of itself.
type FromGGUFRequest struct {
	// Metadata is the file's key-values but the tokenizer's. Values are string,
	// bool, int64, uint64, float64 or slices of string, int64, float64, bool.
	Metadata map[string]any
	// Tensors are the row-major shapes of the file's tensors by name.
	Tensors map[string][]int
	// RopeFactors are the values of those tensors that scale RoPE's frequencies,
	// such as rope_freqs.weight: all that a configuration needs of the weights.
	RopeFactors map[string][]float32
}

// A FromGGUFResponse makes a GGUF file a checkpoint.
type FromGGUFResponse struct {
	// Configuration is a config.json of the model.
	Configuration []byte
	// Tensors maps each checkpoint tensor to an expression over the file's
	// tensors; permutations of the file's layout are undone in it.
	Tensors map[string]*graph.Source
}

// A ToGGUFRequest asks how a checkpoint is written as GGUF.
type ToGGUFRequest struct {
	Configuration []byte
	Tensors       []string // names of the checkpoint's tensors
}

// A ToGGUFResponse says how.
type ToGGUFResponse struct {
	Architecture string
	// Metadata are the architecture's key-values; a value's Go type is the type
	// that is written: uint32, int32, float32, bool, string, or slices of these.
	Metadata map[string]any
	Tensors  []GGUFTensor // in the order in which they are written
}

// A GGUFTensor is a tensor of a GGUF file: an expression over the tensors of a
// checkpoint, or values that the architecture computes.
type GGUFTensor struct {
	Name   string
	Source *graph.Source // nil: Values
	Values []float32     // a float32 tensor of one dimension
}

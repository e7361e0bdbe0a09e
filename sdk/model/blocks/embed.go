package blocks

import (
	"math"

	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// RootScale is √width in the type that the configuration says its weights have, the
// scale of embeddings in models that were trained with it so rounded (Gemma): of 3072,
// 55.5 in bfloat16.
func RootScale(c *hfconfig.Config, width int) float64 {
	root := float32(math.Sqrt(float64(width)))
	switch c.String("dtype", c.String("torch_dtype", "")) {
	case "bfloat16":
		root = halffloat.FromBFloat16(halffloat.ToBFloat16(root))
	case "float16":
		root = halffloat.FromFloat16(halffloat.ToFloat16(root))
	}
	return float64(root)
}

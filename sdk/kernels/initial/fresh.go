package initial

import (
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/dropout"
)

// Fresh draws a parameter that no checkpoint holds into dst, which is all zeros: the
// same on every backend, by the seed and the parameter's name alone. One whose Init is
// zeros stays as it is; so does one whose Init is the norms of rows, which a backend takes
// of the weights that it holds.
func Fresh(dst []float32, p *graph.Param, seed uint64) {
	if p.Init != graph.InitKaiming {
		return
	}
	key := dropout.NewKey(seed, 0, p.Name)
	r := rand.New(rand.NewPCG(uint64(key[0]), uint64(key[1])))
	limit := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
	for i := range dst {
		dst[i] = float32((2*r.Float64() - 1) * limit)
	}
}

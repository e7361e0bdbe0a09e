package adapt_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// tied is a model whose head is its embedding, with a cap on its logits.
func tied(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.New("Tied")
	x := b.Embed("model.embed_tokens.weight", 16, 8)
	x = b.Linear(x, "up", 8, graph.RoleMLPUp)
	table := b.Param("model.embed_tokens.weight", []int{16, 8}, graph.RoleEmbed)
	b.Logits(b.SoftCap(b.Linear(x, "lm_head", 16, graph.RoleEmbed, graph.Tied(table)), 30, "cap"))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestTrainTokens(t *testing.T) {
	const table, head = "model.embed_tokens.weight", "lm_head.weight"
	rows := func(name string) string {
		return "concat(0, slice(" + name + ", 0, 3:4:1), slice(" + name + ", 0, 5:6:1), mean(slice(" + name + ", 0, 0:14:1), 2))"
	}
	g, err := adapt.Apply(llama(t), adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{"q_proj"}})
	if err != nil {
		t.Fatal(err)
	}
	before := g.Text()
	got, err := adapt.TrainTokens(g, "", []int{15, 5, 3, 14, 5}, 14)
	if err != nil {
		t.Fatal(err)
	}
	if g.Text() != before {
		t.Error("the Graph that was given is another")
	}
	sources := map[string]string{}
	for _, p := range got.Trainable() {
		if p.Source != nil {
			sources[p.Name] = p.Source.String()
		}
	}
	want := map[string]string{
		"base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": rows(table),
		"base_model.model.lm_head.token_adapter.trainable_tokens_delta":            rows(head),
	}
	if !reflect.DeepEqual(sources, want) {
		t.Errorf("rows %v, want %v", sources, want)
	}
	ids := []int{3, 5, 14, 15}
	if got := adapt.PEFTTokens(got); !reflect.DeepEqual(got, map[string][]int{"embed_tokens": ids, "lm_head": ids}) {
		t.Errorf("trainable_token_indices %v", got)
	}
	if got := adapt.PEFTTokens(g); got != nil {
		t.Errorf("without token rows, trainable_token_indices are %v", got)
	}
}

// TestTrainTiedTokens: rows of a table that is both embedding and head are one
// parameter.
func TestTrainTiedTokens(t *testing.T) {
	g, err := adapt.TrainTokens(tied(t), "mine", []int{1, 2}, 16)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(g.Trainable()); n != 1 || g.Trainable()[0].Adapter != "mine" {
		t.Errorf("%d trainable parameters", n)
	}
	used := 0
	for _, n := range g.Nodes {
		if r := graph.RowsOf(n.Op); r != nil && r.Values == g.Trainable()[0].ID {
			used++
		}
	}
	if got := adapt.PEFTTokens(g); used != 2 || !reflect.DeepEqual(got, []int{1, 2}) {
		t.Errorf("%d uses, trainable_token_indices %v", used, got)
	}
}

func TestGrow(t *testing.T) {
	for name, model := range map[string]func(testing.TB) *graph.Graph{"untied": llama, "tied": tied} {
		t.Run(name, func(t *testing.T) {
			g := model(t)
			grown, err := adapt.Grow(g, 3, 14)
			if err != nil {
				t.Fatal(err)
			}
			if grown.IDs() != 19 || grown.Vocabulary() != 19 || g.IDs() != 16 {
				t.Errorf("%d ids, %d logits, before %d", grown.IDs(), grown.Vocabulary(), g.IDs())
			}
			table := grown.Params[0]
			if want := "concat(0, " + table.Name + ", mean(slice(" + table.Name + ", 0, 0:14:1), 3))"; table.Source.String() != want || table.Shape[0] != 19 {
				t.Errorf("table %v from %s, want %s", table.Shape, table.Source, want)
			}
			if g.Params[0].Shape[0] != 16 {
				t.Error("the Graph that was given grew too")
			}
			if _, err := adapt.TrainTokens(grown, "", []int{18}, 14); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTokenMistakes(t *testing.T) {
	headed, err := adapt.Apply(llama(t), adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{"lm_head"}})
	if err != nil {
		t.Fatal(err)
	}
	b := graph.New("Two")
	x := b.Add(b.Embed("a.weight", 16, 8), b.Embed("b.weight", 16, 8), "sum")
	b.Logits(b.Linear(x, "lm_head", 16, graph.RoleHead))
	two, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	b = graph.New("Headless")
	b.Logits(b.Embed("a.weight", 16, 16))
	headless, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		g    *graph.Graph
		ids  []int
		want string
	}{
		{"none", llama(t), nil, "tokens: ids [], the model has 16"},
		{"beyond", llama(t), []int{3, 16}, "tokens: ids [3 16], the model has 16"},
		{"negative", llama(t), []int{-1}, "tokens: ids [-1], the model has 16"},
		{"an adapter on the head", headed, []int{1}, "tokens: lm_head has an adapter, and its rows cannot be trained beside"},
		{"two tables", two, []int{1}, "tokens: the model has two tables of them, a.weight and b.weight"},
		{"no head", headless, []int{1}, "tokens: the model does not begin with an embedding and end with a linear"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := adapt.TrainTokens(test.g, "", test.ids, 16); err == nil || err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	if _, err := adapt.Grow(llama(t), 1, 17); err == nil || !strings.Contains(err.Error(), "1 more, beside 17 of 16") {
		t.Errorf("%v", err)
	}
}

package chat

import (
	"context"
	"testing"
)

// BenchmarkRenderTurns renders a conversation of six messages and finds its three
// turns: by prefixes, by probes, and by generation blocks.
func BenchmarkRenderTurns(b *testing.B) {
	for _, name := range []string{"smollm2", "qwen3", "generation"} {
		b.Run(name, func(b *testing.B) {
			template := readTemplate(b, "testdata/templates/"+name+".jinja")
			c := samples(b)["three turns"].conversation
			for b.Loop() {
				if _, err := template.RenderTurns(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package main

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
)

// badModel answers for something, or for nothing.
type badModel struct{ name string }

func (m *badModel) Describe(context.Context) (*model.Description, error) {
	d := &model.Description{Name: m.name, Version: "1.0.0", Architectures: []string{"BadForCausalLM"}, GGUFArchitectures: []string{"bad"}}
	switch m.name {
	case "model-empty":
		d.Architectures, d.GGUFArchitectures = nil, nil
	case "model-other":
		d.Architectures, d.GGUFArchitectures = []string{"OtherForCausalLM"}, nil
	case "model-refuses":
		return nil, fault.New(fault.Unsupported, "no licence")
	}
	return d, nil
}

func (m *badModel) Build(context.Context, *model.BuildRequest) (*graph.Graph, error) {
	return &graph.Graph{Architecture: "BadForCausalLM", Logits: 7}, nil // no such value
}

func (m *badModel) FromGGUF(context.Context, *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	return &model.FromGGUFResponse{}, nil
}

func (m *badModel) ToGGUF(context.Context, *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	return &model.ToGGUFResponse{}, nil
}

package plugintest

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
)

func kernelsPlanRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/describe", "it says its name, its version and what it implements, in the protocol's names, each time the same", kernelsDescribe},
		{"kernels/schema-valid", "the schema of its block is valid and documented", kernelsSchema},
		{"kernels/plan-before-weights", "Estimate and Bind need no weights, and plan room for the longest document", kernelsPlan},
		{"kernels/estimate-anytime", "Estimate answers before, between and after other calls and changes nothing", kernelsEstimate},
		{"kernels/unknown-setting-refused", "a setting that its schema lacks is refused with a diagnostic at its name", kernelsUnknownSetting},
		{"kernels/unsupported-op-named", "a graph with an operation that it lacks is refused by Bind, which names the operation", kernelsUnsupported},
		{"kernels/limit-too-small", "a memory limit that is too small is refused with one that would do, and that one does", kernelsLimit},
		{"kernels/out-of-order-refused", "calls that come too early or twice are refused as out of order", kernelsOutOfOrder},
	}
}

// semanticVersion is a version as semver.org has it.
var semanticVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

func checkNameAndVersion(c *check, name, version string) {
	if name == "" {
		c.fail("the name is empty")
	}
	if !semanticVersion.MatchString(version) {
		c.fail("the version %q is no semantic one, such as 1.2.3", version)
	}
}

// within fails the rule if a list has something twice, or something that is not known.
func within(c *check, what string, list, known []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s] {
			c.fail("%s: %q stands twice", what, s)
		}
		seen[s] = true
		if known != nil && !slices.Contains(known, s) {
			c.fail("%s: %q is none of %q", what, s, known)
		}
	}
}

func kernelsDescribe(c *check, k *kernelsKit) {
	d := k.description
	checkNameAndVersion(c, d.Name, d.Version)
	if len(d.Ops) == 0 || len(d.Precisions) == 0 || len(d.WeightTypes) == 0 {
		c.fail("ops %q, precisions %q, weight types %q: none of them may be empty", d.Ops, d.Precisions, d.WeightTypes)
	}
	within(c, "ops", d.Ops, graph.OpNames())
	within(c, "adapters", d.Adapters, []string{"lora", "lora_bias", "dora", "pissa", "full", kernels.TokenRows})
	within(c, "precisions", d.Precisions, []string{"bf16", "fp16", "fp32"})
	within(c, "weight types", d.WeightTypes, []string{"auto", "float32", "bfloat16", "float16"})
	within(c, "quantizations", d.Quantizations, nil)
	within(c, "capabilities", d.Capabilities, nil)
	if !slices.Contains(d.Objectives, kernels.CrossEntropy) {
		c.fail("objectives %q: %q is not among them", d.Objectives, kernels.CrossEntropy)
	}
	b := start(c, k.start).Service
	for range 2 {
		again, err := b.Describe(c)
		c.must(err, "Describe")
		if !reflect.DeepEqual(again, d) {
			c.fail("it describes itself as %+v and as %+v", *d, *again)
		}
	}
}

func kernelsSchema(c *check, k *kernelsKit) {
	c.must(k.description.Schema.Validate(), "the schema")
}

// soundPlan fails the rule if a plan cannot be right.
func (k *kernelsKit) soundPlan(c *check, p *kernels.Plan, what string) {
	switch {
	case p == nil:
		c.fail("%s: neither a plan nor an error", what)
	case p.MicroBatchTokens < maxLength:
		c.fail("%s: micro-batches of at most %d tokens, a document may have %d", what, p.MicroBatchTokens, maxLength)
	case p.TotalBytes() <= 0:
		c.fail("%s: it takes %d bytes", what, p.TotalBytes())
	case p.FLOPsPerToken <= 0:
		c.fail("%s: %v FLOPs a token", what, p.FLOPsPerToken)
	case p.Device.Kind == "":
		c.fail("%s: the device has no kind", what)
	}
	seen := map[string]bool{}
	for _, m := range p.Memory {
		if m.Bytes < 0 || m.Category == "" || seen[m.Category] {
			c.fail("%s: %d bytes of memory of the category %q, twice or without sense", what, m.Bytes, m.Category)
		}
		seen[m.Category] = true
	}
}

func kernelsPlan(c *check, k *kernelsKit) {
	b := start(c, k.start).Service
	estimate, err := b.Estimate(c, k.request(k.lora))
	c.must(err, "Estimate")
	k.soundPlan(c, estimate, "Estimate")
	plan, err := b.Bind(c, k.request(k.lora))
	c.must(err, "Bind")
	k.soundPlan(c, plan, "Bind")
}

func kernelsEstimate(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	batch := pack(newDocuments(1, 9)...)
	before := s.score(s.train, batch)
	estimate, err := s.backend.Estimate(c, k.request(k.full))
	c.must(err, "Estimate after Load")
	k.soundPlan(c, estimate, "Estimate after Load")
	if after := s.score(s.train, batch); !reflect.DeepEqual(after, before) {
		c.fail("Score gives other numbers after Estimate")
	}
}

func kernelsUnknownSetting(c *check, k *kernelsKit) {
	const name = "no_such_setting"
	req := k.request(k.lora)
	req.Settings.Config = map[string]any{name: 1.0}
	for key, v := range k.options.Config {
		req.Settings.Config[key] = v
	}
	for what, call := range map[string]func() error{
		"Bind":     func() error { _, err := start(c, k.start).Service.Bind(c, req); return err },
		"Estimate": func() error { _, err := start(c, k.start).Service.Estimate(c, req); return err },
	} {
		mustDiagnose(c, call(), name, what)
	}
}

// mustDiagnose ends the rule unless err has a diagnostic for the attribute.
func mustDiagnose(c *check, err error, attribute, what string) {
	var f *fault.Error
	diagnostics := asDiagnostics(err)
	switch {
	case err == nil:
		c.fail("%s takes it", what)
	case errors.As(err, &f) && f.Code != fault.InvalidConfig:
		c.fail("%s: the error %q is a fault %q, it has to be %q", what, err, f.Code, fault.InvalidConfig)
	}
	for _, d := range diagnostics {
		if len(d.Path) > 0 && d.Path[0] == attribute && !d.Warning {
			return
		}
	}
	c.fail("%s: the error %q has no diagnostic whose path is %q; config.Decode gives one", what, err, attribute)
}

// lackingGraph is a small graph with an operation that a plugin may lack.
func lackingGraph(op string) (*graph.Graph, error) {
	b := graph.New("LackingForCausalLM")
	b.MaxLength(maxLength)
	x := b.Embed("embed", vocabulary, hidden)
	switch op {
	case "route", "expert_linear", "combine":
		experts := b.Param("experts.weight", []int{4, hidden, hidden}, graph.RoleExpertUp)
		route := graph.Route{Experts: 4, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1}
		indices, weights := b.Route(b.Linear(x, "router", 4, graph.RoleRouter), "route", route)
		y := b.ExpertLinear(x, indices, "experts", graph.ExpertLinear{Weight: experts, Bias: graph.NoParam, Experts: 4})
		x = b.Combine(y, weights, "combine")
	case "norm":
		x = b.RMSNorm(x, "norm", 1e-5)
	case "map":
		x = b.Scale(x, 2, "scale")
	case "rope":
		x = b.RoPE(x, "rope", graph.RoPE{Heads: 1, Freq: []float32{1, 0.1}, Factor: 1})
	case "attention":
		x = b.Attention(x, x, x, "attention", graph.AttentionSpec{Heads: 1, KVHeads: 1, Scale: 0.1})
	case "conv":
		x = b.Conv(x, "conv", 3, false)
	case "split":
		x = b.Split(x, "split", 1, hidden/2, hidden/2)[0]
	case "concat":
		x = b.Concat("concat", 1, graph.Part(x), graph.Part(x))
	}
	b.Logits(b.Linear(x, "lm_head", vocabulary, graph.RoleHead))
	return b.Graph()
}

func kernelsUnsupported(c *check, k *kernelsKit) {
	tried := false
	for _, op := range graph.OpNames() {
		if slices.Contains(k.description.Ops, op) {
			continue
		}
		g, err := lackingGraph(op)
		c.must(err, "making a graph with %s", op)
		tried = true
		req := k.request(k.lora)
		req.Graph, req.Settings.Adapter, req.Phases = g, "", kernels.Phases{Score: true}
		_, err = start(c, k.start).Service.Bind(c, req)
		c.mustBe(err, fault.Unsupported, "Bind of a graph with %s", op)
		named := slices.ContainsFunc(g.Ops(), func(name string) bool {
			return !slices.Contains(k.description.Ops, name) && strings.Contains(err.Error(), name)
		})
		if !named {
			c.fail("Bind of a graph with %s: the error %q names no operation that it lacks", op, err)
		}
	}
	if !tried {
		c.skip("it lacks none of the operations")
	}
}

func kernelsLimit(c *check, k *kernelsKit) {
	req := k.request(k.lora)
	req.Limits.MemoryBytes = 4096
	for what, call := range map[string]func(*kernels.BindRequest) (*kernels.Plan, error){
		"Estimate": func(r *kernels.BindRequest) (*kernels.Plan, error) { return start(c, k.start).Service.Estimate(c, r) },
		"Bind":     func(r *kernels.BindRequest) (*kernels.Plan, error) { return start(c, k.start).Service.Bind(c, r) },
	} {
		_, err := call(req)
		c.mustBe(err, fault.LimitTooSmall, "%s within 4096 bytes", what)
		var f *fault.Error
		if !errors.As(err, &f) || f.NeedBytes <= 4096 {
			c.fail("%s within 4096 bytes: the error %q says that %d bytes would do", what, err, f.NeedBytes)
		}
		enough := *req
		enough.Limits.MemoryBytes = f.NeedBytes
		plan, err := call(&enough)
		c.must(err, "%s within the %d bytes that would do", what, f.NeedBytes)
		if plan.TotalBytes() > f.NeedBytes {
			c.fail("%s within %d bytes: the plan takes %d", what, f.NeedBytes, plan.TotalBytes())
		}
	}
}

func kernelsOutOfOrder(c *check, k *kernelsKit) {
	folder := k.folder(c)
	load := &kernels.LoadRequest{Checkpoint: []string{k.lora.checkpoint}, Adapter: k.lora.peft}
	batch := pack(newDocuments(1, 5)...)
	working := func(b kernels.Backend) map[string]func() error {
		s := &session{c: c, backend: b}
		return map[string]func() error{
			"Train": func() error { _, err := s.try(step(1, batch)); return err },
			"Score": func() error {
				return b.Score(c, &kernels.ScoreRequest{Batches: split(newDocuments(1, 5)...)}, func([]float32) error { return nil })
			},
			"Generate": func() error {
				req := &kernels.GenerateRequest{Prompts: [][]int32{{1}}, MaxTokens: 1}
				return b.Generate(c, req, func(kernels.Token) error { return nil })
			},
			"Save": func() error { _, err := b.Save(c, &kernels.SaveRequest{Directory: folder}); return err },
			"ReadTensor": func() error {
				req := &kernels.ReadTensorRequest{Name: k.lora.graph.Trainable()[0].Name, Kind: kernels.TensorValue}
				_, err := b.ReadTensor(c, req, func([]float32) error { return nil })
				return err
			},
			"Restore": func() error { _, err := b.Restore(c, folder); return err },
		}
	}
	fresh := start(c, k.start).Service
	for name, call := range working(fresh) {
		c.mustBe(call(), fault.OutOfOrder, "%s before Bind", name)
	}
	c.mustBe(fresh.Load(c, load, nil), fault.OutOfOrder, "Load before Bind")

	bound := start(c, k.start).Service
	_, err := bound.Bind(c, k.request(k.lora))
	c.must(err, "Bind")
	for name, call := range working(bound) {
		c.mustBe(call(), fault.OutOfOrder, "%s before Load", name)
	}
	_, err = bound.Bind(c, k.request(k.lora))
	c.mustBe(err, fault.OutOfOrder, "a second Bind")
	c.must(bound.Load(c, load, nil), "Load, after calls that came too early")
	c.mustBe(bound.Load(c, load, nil), fault.OutOfOrder, "a second Load")
	(&session{c: c, backend: bound}).run(step(1, batch))
	_, err = bound.Restore(c, folder)
	c.mustBe(err, fault.OutOfOrder, "Restore after a step")
}

package graph

import "regexp"

// A Role says what a parameter is for, whatever its architecture calls it.
// Targets of adapters are chosen by role. Roles are dotted words; architectures
// may add their own.
type Role string

// The roles that most decoders share.
const (
	RoleEmbed      Role = "embed"       // token embeddings, tied heads included
	RoleHead       Role = "head"        // the untied output head
	RoleAttnQ      Role = "attn.q"      // queries
	RoleAttnK      Role = "attn.k"      // keys
	RoleAttnV      Role = "attn.v"      // values
	RoleAttnQKV    Role = "attn.qkv"    // queries, keys and values as one linear
	RoleAttnO      Role = "attn.o"      // the projection of attention's output
	RoleAttnSinks  Role = "attn.sinks"  // attention sinks
	RoleMLPGate    Role = "mlp.gate"    // the gate of a gated MLP
	RoleMLPUp      Role = "mlp.up"      // the first linear of an MLP
	RoleMLPGateUp  Role = "mlp.gate_up" // gate and up as one linear
	RoleMLPDown    Role = "mlp.down"    // the last linear of an MLP
	RoleNorm       Role = "norm"        // weights and biases of norms
	RoleConv       Role = "conv"        // short convolutions
	RoleRouter     Role = "router"      // scores of experts
	RoleExpertUp   Role = "expert.up"   // an expert's first linear, gated or not
	RoleExpertDown Role = "expert.down" // an expert's last linear
	RoleMapParam   Role = "map"         // learned parameters of element-wise expressions
	RoleLoRA       Role = "lora"        // parameters of an adapter
)

var rolePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Valid reports whether r is dotted words of lower-case letters, digits and
// underscores.
func (r Role) Valid() bool { return rolePattern.MatchString(string(r)) }

// AutoTarget reports whether adapters go onto linears of this role when nobody
// names targets: on all but heads and routers, as PEFT's "all-linear" does.
func (r Role) AutoTarget() bool { return r != RoleHead && r != RoleRouter && r != RoleEmbed }

// Package interp runs a Graph in float64, in plain loops: it is the definition of
// each operation and of its derivative in code, and what every backend is tested
// against. It is not fast, and not for training: it knows no optimizer.
//
// A [Run] is one micro-batch. [Run.Forward] computes the logits; [Run.Step] runs a
// schedule of package diff and gives the objective and its gradients. Step holds
// the schedule to its word: a backward step sees the values that it says it reads
// and no others, and a value is gone after its last use (package live), so that a
// schedule that forgets to keep or recompute something fails here.
//
// The objective is the weighted next-token cross-entropy, a sum over tokens and
// never a mean:
//
//	Σ_t weight[t] · −log softmax(logits[t−1])[id[t]]
//
// Routes add their balancing losses to what is differentiated; [Run.Balance] is their
// sum.
package interp

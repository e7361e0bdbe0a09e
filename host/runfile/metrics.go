package runfile

// A MetricVariable is a number of a step that metrics can be computed from.
type MetricVariable struct {
	Name   string // in a formula
	Scalar string // as metrics.jsonl and loggers name it; "" where it is no record of its own
	Doc    string
}

// MetricVariables are the variables of a step, in the order of documentation.
func MetricVariables() []MetricVariable {
	return []MetricVariable{
		{"loss", "train/loss", "Mean loss of the step's supervised tokens, in nats."},
		{"perplexity", "train/perplexity", "exp(loss)."},
		{"aux_loss", "train/aux_loss", "What expert_balance adds to the mean loss. Without it a metric of it has no value."},
		{"grad_norm", "train/grad_norm", "Norm of the mean loss's gradient, before clipping."},
		{"learning_rate", "train/learning_rate", "The step's learning rate."},
		{"supervised_tokens", "train/supervised_tokens", "Tokens of the step whose prediction is learned."},
		{"tokens", "", "Tokens of the step."},
		{"tokens_per_second", "perf/tokens_per_second", "Tokens of the step by its time."},
		{"seconds", "", "The step's time."},
		{"step", "", "Number of the step, from 1."},
		{"total_steps", "", "Number of the run's steps."},
		{"epoch", "", "Epochs that are done, and the part of the one at hand."},
		{"total_tokens", "", "Tokens of all steps so far."},
		{"eval_loss", "eval/loss", "The last evaluation's loss. Before the first evaluation a metric of it has no value."},
		{"eval_perplexity", "eval/perplexity", "exp(eval_loss)."},
	}
}

func metricNames() []string {
	var names []string
	for _, v := range MetricVariables() {
		names = append(names, v.Name)
	}
	return names
}

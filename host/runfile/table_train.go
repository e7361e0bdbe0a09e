package runfile

import "github.com/honeml/hone/sdk/config"

func trainAttributes() []attributeSpec {
	return append(lengthAttributes(), optimizerAttributes()...)
}

// lengthAttributes say how much is trained, and in which portions.
func lengthAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: attr("epochs", config.Of(config.Int), "How often the data is gone through. Either this or steps has to be given."),
			Why:       "how long to train is the one thing that nobody can choose for you; 1 to 3 epochs are common", Resume: RuleLength,
			check: between(1, 1<<20), Fix: "Common values are 1 to 3.",
		},
		{
			Attribute: attr("steps", config.Of(config.Int), "How many optimizer steps the run has, in as many epochs as that takes. Either this or epochs has to be given."),
			Resume:    RuleLength,
			check:     between(1, 1<<31), Fix: "Write a number of steps, or epochs instead.",
		},
		{
			Attribute: attr("tokens_per_step", config.Of(config.Int),
				"Tokens of an optimizer step, of all devices and micro-batches together: the next documents that fit, at least one, never across epochs."),
			Computed: "16384, or max_length where that is more", Why: "a batch of some ten documents, which suits the default learning rate", Resume: RuleFixed,
			check: between(2, 1<<31), Fix: "Common values are 8192 to 131072.",
		},
		{
			Attribute: attr("documents_per_step", config.Of(config.Int), "Documents of an optimizer step, instead of tokens_per_step: what others call batch size times accumulation."),
			Computed:  "tokens_per_step", Why: "steps of equal tokens weigh documents of all lengths alike", Resume: RuleFixed,
			check: between(1, 1<<24), Fix: "Common values are 8 to 64.",
		},
		{
			Attribute: attr("max_length", config.Of(config.Int), "The most tokens that a document may have; data.overlong says what becomes of longer ones."),
			Computed:  "2048, or less where the model's limit or tokens_per_step is less", Why: "memory grows with it, and most documents are shorter", Resume: RuleFixed,
			check: between(2, 1<<27), Fix: "Common values are 512 to 8192.",
		},
	}
}

// optimizerAttributes say what a step does.
func optimizerAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: attr("learning_rate", config.Of(config.Number), "The highest learning rate of the schedule."),
			Computed:  "2e-4 for adapter \"lora\", 2e-5 for adapter \"full\"", Why: "they suit most models; adapters take ten times what whole models do", Resume: RuleFixed,
			check: aboveUpTo(0, 1), Fix: "Common values are 1e-5 to 5e-4.",
		},
		{
			Attribute: oneOf(attr("schedule", config.Of(config.String), "How the learning rate goes on after the warm-up: down to nearly zero along half a cosine or a line, or not at all."),
				"cosine", "linear", "constant"),
			Why: "the low rates at the end settle what was learned", Resume: RuleFixed,
		},
		{
			Attribute: or(attr("warmup", config.Of(config.Number), "Over how many steps the learning rate rises to its highest: below 1 a fraction of all steps, else steps. Step 1's rate is above 0."), 0.03),
			Why:       "Adam's statistics of the first steps are rough", Resume: RuleFixed,
			check: checkWarmup, Fix: "Common values are 0 to 0.1, or 5 to 100 steps.",
		},
		{
			Attribute: oneOf(attr("precision", config.Of(config.String),
				"What activations are computed in; sums, losses, adapters and the optimizer are float32 in any case. kernels \"cpu\" computes in float32 whatever stands here, and says so."),
				"bf16", "fp16", "fp32"),
			Why: "half the memory of fp32, without fp16's overflows", Resume: RuleFixed,
		},
		{
			Attribute: or(attr("weight_decay", config.Of(config.Number), "AdamW's weight decay: each step takes learning_rate × weight_decay of a parameter away."), 0.0),
			Why:       "few steps on few parameters need none", Resume: RuleFixed,
			check: between(0, 1), Fix: "Common values are 0 to 0.1.",
		},
		{
			Attribute: or(attr("betas", config.ListOf(config.Number), "AdamW's decay of the gradient's mean and of its square."), []any{0.9, 0.999}),
			Why:       "Adam's own (Kingma and Ba, 2015)", Resume: RuleFixed,
			check: checkBetas, Fix: "Common values are [0.9, 0.999] and [0.9, 0.95].",
		},
		{
			Attribute: or(attr("epsilon", config.Of(config.Number), "What AdamW adds to the root of the gradient's square."), 1e-8),
			Why:       "Adam's own", Resume: RuleFixed,
			check: aboveUpTo(0, 1), Fix: "The common value is 1e-8.",
		},
		{
			Attribute: or(attr("max_grad_norm", config.Of(config.Number), "The gradient is scaled down to this norm where it is above; 0 never does."), 1.0),
			Why:       "one strange document then cannot spoil the run", Resume: RuleFixed,
			check: between(0, 1e9), Fix: "Common values are 0.3 to 1; 0 turns it off.",
		},
		{
			Attribute: or(attr("expert_balance", config.Of(config.Number),
				"Coefficient of a loss of each document and layer that has the experts of a mixture be used equally (DeepSeek-AI, 2024), logged as train/aux_loss; 0 adds none. It is for models with experts alone."), 0.0),
			Why: "short fine-tuning seldom upsets the balance that a model has, and what it costs is learned from the data no more", Resume: RuleFixed,
			check: between(0, 1000), Fix: "Common values are 1e-4 to 1e-2; 0 turns it off.",
		},
	}
}

package runfile

import "github.com/honeml/hone/sdk/config"

func trainDataAttributes() []attributeSpec {
	rows := []attributeSpec{
		{
			Attribute: required(attr("source", config.Of(config.String),
				"A file of JSON lines (text; prompt and completion; messages; ShareGPT; alpaca) or of plain text, also compressed with gzip.")),
			Resume: RuleContent, check: notEmpty,
		},
		{
			Attribute: or(attr("shuffle", config.Of(config.Bool), "Whether each epoch takes the documents in a new order, drawn from the seed. All data \"train\" blocks agree on it."), true),
			Why:       "neighbours in a file are often alike; a fixed order would be learned", Resume: RuleFixed,
		},
		{
			Attribute: or(attr("packing", config.Of(config.Bool),
				"Whether several documents share a micro-batch. Attention never crosses from one to another, so results are the same but for rounding. All data \"train\" blocks agree on it."), true),
			Why: "short documents alone leave a device idle", Resume: RuleRounding,
		},
	}
	return append(rows, readingAttributes(RuleFixed)...)
}

func evalDataAttributes() []attributeSpec {
	rows := []attributeSpec{
		{
			Attribute: attr("source", config.Of(config.String), "A file as in data \"train\"."),
			Computed:  "the fraction of the training documents", Resume: RuleFree, check: notEmpty,
		},
		{
			Attribute: attr("fraction", config.Of(config.Number), "The part of the training documents that is set aside for evaluation, drawn from the seed, instead of a source."),
			Computed:  "the source", Resume: RuleFixed,
			check: inside(0, 1),
			Fix:   "Common fractions are 0.01 to 0.1.",
		},
	}
	for _, a := range readingAttributes(RuleFree) {
		a.Default, a.Why = nil, ""
		a.Computed = "that of the first data \"train\" block"
		rows = append(rows, a)
	}
	return rows
}

// readingAttributes say how documents are read.
func readingAttributes(rule Rule) []attributeSpec {
	return []attributeSpec{
		{
			Attribute: or(attr("append_eos", config.Of(config.Bool), "Whether plain text gets an end-of-sequence token. Chats end as their template says."), true),
			Why:       "without it the model does not learn to stop", Resume: rule,
		},
		{
			Attribute: oneOf(attr("loss", config.Of(config.String),
				"Which tokens are learned: all; those of completions; those of the assistant's turns; auto takes the narrowest that the format has, and all of plain text."),
				"auto", "all", "completion", "assistant"),
			Why: "what a user says is not what the model should learn to say", Resume: rule,
		},
		{
			Attribute: oneOf(attr("overlong", config.Of(config.String),
				"What becomes of documents longer than max_length: they are cut off, split into several, skipped, or stop the run. How many there are is said in any case."),
				"truncate", "split", "skip", "stop"),
			Why: "a few long documents should not cost a run, nor all of themselves", Resume: rule,
		},
		{
			Attribute: oneOf(attr("on_error", config.Of(config.String),
				"What a line that cannot be read does: it stops the run before it begins, or is skipped and counted. File and line are named in any case."),
				"stop", "skip"),
			Why: "a broken line is a sign of a broken file", Resume: rule,
		},
		{
			Attribute: attr("chat_template", config.Of(config.String), "A Jinja template for chats: the path of its file, or its text."),
			Computed:  "the model's own", Why: "the model was trained with it", Resume: rule, check: notEmpty,
		},
	}
}

func evaluateAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: or(attr("every", config.Of(config.Int), "Steps from one evaluation to the next; 0 evaluates at the end alone."), int64(50)),
			Why:       "often enough to see overfitting, seldom enough to cost little", Resume: RuleFree,
			check: between(0, 1<<31), Fix: "Write a number of steps, or 0.",
		},
		{
			Attribute: or(attr("prompts", config.ListOf(config.String), "Prompts that the model answers at each evaluation; for a chat model they are the user's."), []any{}),
			Why:       "what is worth asking only you know", Resume: RuleFree, check: notEmpty, Fix: "Leave it out to ask nothing.",
		},
		{
			Attribute: or(attr("max_tokens", config.Of(config.Int), "Tokens that an answer may have."), int64(128)),
			Why:       "a paragraph shows a style", Resume: RuleFree,
			check: between(1, 1<<20), Fix: "Common values are 32 to 512.",
		},
		{
			Attribute: or(attr("temperature", config.Of(config.Number), "Temperature of answers; 0 takes the most probable token each time."), 0.0),
			Why:       "answers of two evaluations can then be compared", Resume: RuleFree,
			check: between(0, 10), Fix: "Common values are 0 to 1.",
		},
	}
}

func checkpointAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: or(attr("every", config.Of(config.Int), "Steps from one checkpoint to the next; 0 writes one at the end alone."), int64(50)),
			Why:       "so much is lost at most when a machine fails; writing one takes little", Resume: RuleFree,
			check: between(0, 1<<31), Fix: "Write a number of steps, or 0.",
		},
		{
			Attribute: or(attr("keep", config.Of(config.Int), "How many checkpoints are kept, the newest ones. The best is kept beside them."), int64(2)),
			Why:       "one to go on from, and one in case its disk fails", Resume: RuleFree,
			check: between(1, 1<<20), Fix: "At least the newest has to be kept.",
		},
		{
			Attribute: or(attr("best", config.Of(config.Bool),
				"Whether the result is the checkpoint with the lowest loss on data \"eval\", instead of the last. Checkpoints are then evaluated."), false),
			Why: "it needs data for evaluation", Resume: RuleFree,
		},
	}
}

func mergedAttributes() []attributeSpec {
	return []attributeSpec{exportPath("A new folder for the files.", "export/merged in the run's folder")}
}

func ggufAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: oneOf(attr("type", config.Of(config.String), "Type of the file's weights."),
				"Q8_0", "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"),
			Why: "hardly anyone can tell it from the original, at a quarter of float32's size", Resume: RuleFree,
		},
		exportPath("A new file.", "export/NAME.gguf in the run's folder"),
	}
}

func exportPath(doc, computed string) attributeSpec {
	return attributeSpec{
		Attribute: path(attr("path", config.Of(config.String), doc)), Computed: computed, Resume: RuleFree, check: notEmpty,
	}
}

func metricAttributes() []attributeSpec {
	return []attributeSpec{{
		Attribute: required(attr("value", config.Of(config.Number), "A formula of a step's variables, such as loss / log(2).")),
		Resume:    RuleFree,
	}}
}

func kernelsAttributes() []attributeSpec {
	return []attributeSpec{{
		Attribute: attr("memory_limit", config.Of(config.String), "The most memory that the run may take of each device, such as \"24GiB\". A kernels plugin that cannot do with it says so before the run."),
		Computed:  "what the device has", Resume: RuleRounding,
		check: checkSize, Fix: "KiB, MiB, GiB and TiB are powers of 1024; KB, MB, GB and TB of 1000.",
	}}
}

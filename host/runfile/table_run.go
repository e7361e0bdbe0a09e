package runfile

import (
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// runBlocks is the table of a run's blocks and attributes.
func runBlocks() []blockSpec {
	return []blockSpec{
		{Block: "run", Label: anyLabel, Doc: "A training run. Its label names the folder that it leaves.", Attributes: runAttributes()},
		{Block: "model", Doc: "The model that is trained. Required.", Attributes: modelAttributes()},
		{
			Block: "tokens", Attributes: tokensAttributes(),
			Doc: "Tokens that the model gets, and tokens of its own, whose rows in the embedding and in the head are trained beside the adapter, as PEFT's trainable " +
				"tokens are. The tokenizer with them is written to exports and beside the adapter.",
		},
		{
			Block: "rope_scaling", Label: ScalingLinear, Attributes: scalingAttributes(),
			Doc: "Documents longer than the model's own length: all positions are divided by the factor (Chen et al., 2023). It is written to the configuration " +
				"of an export, and beside the adapter. A model that is scaled already keeps the kind, and can get another factor.",
		},
		{
			Block: "rope_scaling", Label: ScalingDynamic, Attributes: scalingAttributes(),
			Doc: "The same by a larger base of RoPE, which follows from train.max_length and leaves everything as it is up to the model's own length. " +
				"Other programs choose the base anew for each text, by its length.",
		},
		{
			Block: "rope_scaling", Label: ScalingYaRN, Attributes: yarnAttributes(),
			Doc: "The same by frequency: fast pairs of columns stay, slow ones are divided by the factor (Peng et al., 2023). It needs the least training.",
		},
		{
			Block: "adapter", Label: AdapterLoRA, Attributes: loraAttributes(),
			Doc: "Low-rank adapters beside frozen weights (Hu et al., 2021). This is what is trained where no adapter block stands.",
		},
		{
			Block: "adapter", Label: AdapterFull,
			Doc: "The model's own parameters, all of them. It takes several times the memory of an adapter, and the result is a whole model.",
		},
		{
			Block: "data", Label: "train", Several: true, Attributes: trainDataAttributes(),
			Doc: "Documents to train on. Required; several blocks follow each other, and are shuffled together.",
		},
		{
			Block: "data", Label: "eval", Several: true, Attributes: evalDataAttributes(),
			Doc: "Documents to evaluate on: files of their own, or a fraction of the training documents, which is then not trained on. " +
				"What a block does not say of reading, it takes from the first data \"train\" block.",
		},
		{Block: "train", Doc: "How long and how the model is trained. Required.", Attributes: trainAttributes()},
		{
			Block: "evaluate", Attributes: evaluateAttributes(),
			Doc: "When the run is evaluated: the loss on data \"eval\", and answers to fixed prompts. It is evaluated at the end in any case.",
		},
		{
			Block: "metric", Label: anyLabel, Several: true, Attributes: metricAttributes(),
			Doc: "A number computed after each step and logged as metric/NAME. It is the one expression that is kept and evaluated later.",
		},
		{
			Block: "kernels", Label: anyLabel, Attributes: kernelsAttributes(),
			Doc: "The plugin that computes, and its own settings: kernels \"cpu\" is hone-plugin-cpu-kernels. Where no such block stands, it is \"cuda\" " +
				"on a machine with an NVIDIA GPU that can be used, else \"cpu\"; the variable HONE_KERNELS names another. " +
				"`hone plugins list` shows the settings of each. Nothing here changes the mathematics.",
		},
		{
			Block: "logger", Label: anyLabel, Several: true,
			Doc: "A plugin that the run's records go to, and its own settings: logger \"wandb\" is hone-plugin-logger-wandb. Each may stand once. " +
				"metrics.jsonl in the run's folder is written in any case.",
		},
		{
			Block: "export", Label: ExportMerged, Attributes: mergedAttributes(),
			Doc: "The model with the adapter merged in, as safetensors in the base's dtype, with its tokenizer and configuration.",
		},
		{Block: "export", Label: ExportGGUF, Doc: "The merged model as one GGUF file. This hone does not make it yet, and refuses a run that asks for it.", Attributes: ggufAttributes()},
		{Block: "checkpoint", Doc: "What is kept of a run on its way.", Attributes: checkpointAttributes()},
	}
}

// attr begins a row of the table.
func attr(name string, t config.Type, doc string) config.Attribute {
	return config.Attribute{Name: name, Type: t, Doc: doc}
}

// or gives a row its default.
func or(a config.Attribute, value any) config.Attribute {
	a.Default = value
	return a
}

// oneOf gives a row its choices, the first of which is the default.
func oneOf(a config.Attribute, values ...string) config.Attribute {
	a.OneOf, a.Default = values, values[0]
	return a
}

func required(a config.Attribute) config.Attribute {
	a.Required = true
	return a
}

func path(a config.Attribute) config.Attribute {
	a.Path = true
	return a
}

func runAttributes() []attributeSpec {
	return []attributeSpec{{
		Attribute: or(attr("seed", config.Of(config.Int), "What all chance of the run comes from: the adapter's first values, the order of documents, dropout."), int64(0)),
		Why:       "the same file gives the same run", Resume: RuleFixed,
		check: between(0, 1<<53), Fix: "Any whole number that is not negative will do.",
	}}
}

func modelAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: required(attr("source", config.Of(config.String),
				"hf://OWNER/NAME, which has to be in the local cache of huggingface_hub; a folder with config.json and safetensors files; or a .gguf file.")),
			Resume: RuleContent, check: notEmpty,
		},
		{
			Attribute: attr("revision", config.Of(config.String), "Branch, tag or commit of an hf:// model."),
			Computed:  "main", Why: "what the name means to everyone else; a commit makes the run repeatable", Resume: RuleContent, check: notEmpty,
		},
		{
			Attribute: oneOf(attr("dtype", config.Of(config.String), "How frozen weights are held in memory."), "auto", "float32", "bfloat16", "float16"),
			Why:       "the kernels plugin takes what its device is best at, and the plan says what that is", Resume: RuleFixed,
		},
		{
			Attribute: or(attr("quantize", config.Of(config.String), "Quantisation of frozen weights when they are loaded, by a name that the kernels plugin offers, such as \"nf4\"."), "none"),
			Why:       "it costs accuracy, so only who needs the memory should pay", Resume: RuleFixed,
			check: checkName, Fix: "Write \"none\", or a quantisation that the kernels plugin offers, such as \"nf4\".",
		},
	}
}

func tokensAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: attr("add", config.ListOf(config.String), "Texts of new tokens, such as \"<tool>\". Each is found in text as it stands, and its rows begin as the mean of all others."),
			Computed:  "none", Resume: RuleFixed, check: checkTokens, Fix: "Write each token once.",
		},
		{
			Attribute: or(attr("special", config.Of(config.Bool), "Whether the new tokens are special: left out of answers when they are shown."), true),
			Why:       "tokens that are added mostly mark what programs read", Resume: RuleFixed,
		},
		{
			Attribute: attr("train", config.ListOf(config.String), "Tokens that the model has and whose rows are trained, such as \"<|im_start|>\" of a base model that never saw it."),
			Computed:  "none", Resume: RuleFixed, check: checkTokens, Fix: "Write each token once.",
		},
	}
}

func scalingAttributes() []attributeSpec {
	return []attributeSpec{{
		Attribute: required(attr("factor", config.Of(config.Number), "The length to reach, divided by the model's length before any scaling.")),
		Resume:    RuleFixed, check: aboveUpTo(1, 10000), Fix: "A factor of 4 makes 8192 tokens 32768.",
	}}
}

func yarnAttributes() []attributeSpec {
	return append(scalingAttributes(),
		attributeSpec{
			Attribute: attr("original_length", config.Of(config.Int), "The length before scaling, in tokens."),
			Computed:  "the model's own length", Why: "models whose documents give an original length of their own need it here", Resume: RuleFixed,
			check: between(1, 1e9),
		},
		attributeSpec{
			Attribute: attr("attention_factor", config.Of(config.Number), "Factor on rotated queries and on rotated keys."),
			Computed:  "0.1 ln(factor) + 1", Why: "what the paper found best", Resume: RuleFixed, check: aboveUpTo(0, 1000),
		},
		attributeSpec{
			Attribute: attr("beta_fast", config.Of(config.Number), "Pairs that turn more often than this within the original length stay as they are."),
			Computed:  "32", Why: "the paper's value for Llama", Resume: RuleFixed, check: aboveUpTo(0, 1e6),
		},
		attributeSpec{
			Attribute: attr("beta_slow", config.Of(config.Number), "Pairs that turn less often than this are divided by the whole factor."),
			Computed:  "1", Why: "the paper's value for Llama", Resume: RuleFixed, check: aboveUpTo(0, 1e6),
		},
	)
}

func loraAttributes() []attributeSpec {
	return []attributeSpec{
		{
			Attribute: or(attr("rank", config.Of(config.Int), "Rank r of the adapters: each linear of shape [out, in] gets matrices [r, in] and [out, r]."), int64(16)),
			Why:       "enough for most fine-tuning of style and task; a higher rank mostly helps to learn much new knowledge", Resume: RuleFixed,
			check: between(1, 65536), Fix: "Common ranks are 8 to 64.",
		},
		{
			Attribute: attr("alpha", config.Of(config.Number), "Scale of the adapters: their output is multiplied by alpha / rank, with rslora by alpha / √rank."),
			Computed:  "2 × rank", Why: "the scale stays 2 whatever the rank, so that a learning rate that suits one rank suits another", Resume: RuleFixed,
			check: aboveUpTo(0, 1e6), Fix: "Common values are rank or 2 × rank.",
		},
		{
			Attribute: or(attr("targets", config.ListOf(config.String),
				"The linears that get an adapter: \"auto\" for all but the head, routers and experts; \"expert.*\" for those; or last parts of their paths, as in PEFT (\"q_proj\"), "+
					"their roles (\"attn.q\"), patterns of either with * for any characters, or, after ~, a regular expression of a whole path."), []any{"auto"}),
			Why: "all linears learn better at the same number of parameters than attention alone", Resume: RuleFixed, OneOrAll: true,
			check: notEmpty, Fix: "Write \"auto\", or a list such as [\"q_proj\", \"v_proj\"].",
		},
		{
			Attribute: attr("exclude", config.ListOf(config.String), "Linears that get none although targets name them, named as there."),
			Computed:  "none", Resume: RuleFixed, OneOrAll: true, check: notEmpty,
		},
		{
			Attribute: attr("layers", config.ListOf(config.Int), "The layers whose linears get an adapter, counted from 0, such as range(16, 32). What stands in no layer then gets none."),
			Computed:  "all layers", Resume: RuleFixed, OneOrAll: true, check: checkLayers, Fix: "Layers are counted from 0.",
		},
		{
			Attribute: attr("ranks", config.MapOf(config.Int),
				"Other ranks for some linears, by names as in targets: { \"mlp.*\" = 32 }. Where several name a linear, that which names the fewest counts."),
			Computed: "rank, for all", Resume: RuleFixed, check: each(between(1, 65536)), Fix: "Common ranks are 8 to 64.",
		},
		{
			Attribute: attr("alphas", config.MapOf(config.Number), "Other alphas for some linears, in the same way."),
			Computed:  "alpha, for all; where alpha is not given, 2 × the linear's rank", Resume: RuleFixed,
			check: each(aboveUpTo(0, 1e6)), Fix: "Common values are rank or 2 × rank.",
		},
		{
			Attribute: attr("also_train", config.ListOf(config.String),
				"Modules that are trained in full beside the adapter and saved with it, named as in targets, embeddings (\"embed\"), the head (\"head\") and norms (\"norm\") too. "+
					"They get no adapter. Weights that embeddings and head share are trained as both."),
			Computed: "none", Resume: RuleFixed, OneOrAll: true, check: notEmpty,
		},
		{
			Attribute: or(attr("dropout", config.Of(config.Number), "Probability with which an element of an adapter's input is left out in training."), 0.0),
			Why:       "it costs speed and seldom helps a short run", Resume: RuleFixed,
			check: below(0, 1), Fix: "Common values are 0 to 0.1.",
		},
		{
			Attribute: or(attr("rslora", config.Of(config.Bool), "Scale by alpha / √rank, so that high ranks keep learning (Kalajdzievski, 2023)."), false),
			Why:       "what alpha means elsewhere; it matters from ranks of 64 on", Resume: RuleFixed,
		},
		{
			Attribute: or(attr("dora", config.Of(config.Bool),
				"A trained length for each row of the adapted weights, apart from its direction, which the matrices change (DoRA; Liu et al., 2024). It is not for experts, and not together with lora_bias."), false),
			Why: "it makes steps slower, and not every reader of adapters knows it", Resume: RuleFixed,
		},
		{
			Attribute: oneOf(attr("init", config.Of(config.String),
				"What the matrices begin with: \"lora\" with random numbers and zeros, \"pissa\" with the principal part of the weight, the adapter being what has changed since (PiSSA; Meng et al., 2024). "+
					"With the latter no rank exceeds a weight's rows or columns, and what is saved is a plain adapter of twice the rank. It is not for experts, and not together with dora or from."),
				string(adapt.InitLoRA), string(adapt.InitPiSSA)),
			Why: "the other makes the saved adapter twice as large, and a run longer to begin", Resume: RuleFixed,
		},
		{
			Attribute: oneOf(attr("bias", config.Of(config.String), "Which biases of the model are trained, too: \"lora_only\" means those of linears that have an adapter."),
				"none", "all", "lora_only"),
			Why: "with trained biases, an adapter that is switched off leaves another model than the base", Resume: RuleFixed,
		},
		{
			Attribute: or(attr("lora_bias", config.Of(config.Bool), "A trained bias in the second matrix of each adapter."), false),
			Why:       "few readers of adapters know it", Resume: RuleFixed,
		},
		{
			Attribute: path(attr("from", config.Of(config.String),
				"Folder of a PEFT adapter to start from. Its adapter_config.json then gives the defaults of this block, and what the block says must agree with it; dropout alone may differ.")),
			Computed: "a fresh adapter, which changes nothing at first", Resume: RuleContent, check: notEmpty,
		},
	}
}

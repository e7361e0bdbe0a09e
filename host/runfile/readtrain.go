package runfile

// Defaults that depend on other attributes.
const (
	defaultTokensPerStep = 16384
	defaultMaxLength     = 2048
	loraLearningRate     = 2e-4
	fullLearningRate     = 2e-5
)

func (l *loader) readTrain(r *Run, b *decodedBlock) {
	if b == nil {
		return
	}
	t := &r.Train
	l.fill(b, t)
	l.checkDuration(b)
	l.checkStepSize(t, b)
	if !b.Given["learning_rate"] {
		t.LearningRate = loraLearningRate
		if r.Adapter.Kind == AdapterFull {
			t.LearningRate = fullLearningRate
		}
	}
	if b.sound("warmup") && b.sound("steps") && t.Warmup >= 1 && t.Warmup > float64(t.Steps) {
		l.refuse(l.at(b, "warmup"), "Impossible value", "The warm-up takes %v steps, and the run has %d. Below 1 it is a fraction of the steps.", t.Warmup, t.Steps)
	}
}

func (l *loader) checkDuration(b *decodedBlock) {
	switch {
	case b.Given["epochs"] && b.Given["steps"]:
		l.refuse(l.at(b, "steps"), "Contradiction", "A run ends after its epochs or after its steps. Leave one of the two out.")
	case !b.Given["epochs"] && !b.Given["steps"]:
		l.refuse(b.block.DefRange(), "Missing attribute", "train needs epochs or steps. Begin with epochs = 1; a few hundred steps are often enough.")
	}
}

// checkStepSize settles how large a step is, and the longest document.
func (l *loader) checkStepSize(t *TrainConfig, b *decodedBlock) {
	if b.Given["tokens_per_step"] && b.Given["documents_per_step"] {
		l.refuse(l.at(b, "documents_per_step"), "Contradiction", "A step has so many tokens or so many documents. Leave one of the two out.")
		return
	}
	if !b.Given["max_length"] {
		t.MaxLength = defaultMaxLength
		if b.sound("tokens_per_step") {
			t.MaxLength = min(t.MaxLength, t.TokensPerStep)
		}
	}
	switch {
	case b.Given["documents_per_step"]:
	case !b.Given["tokens_per_step"]:
		t.TokensPerStep = max(defaultTokensPerStep, t.MaxLength)
	case b.sound("tokens_per_step") && b.sound("max_length") && t.TokensPerStep < t.MaxLength:
		l.refuse(l.at(b, "tokens_per_step"), "Impossible value",
			"A step has %d tokens, but a document may have %d (max_length). Raise tokens_per_step to %d or more, or lower max_length.",
			t.TokensPerStep, t.MaxLength, t.MaxLength)
	}
}

func (l *loader) readEvaluate(r *Run, b *decodedBlock) {
	l.fill(b, &r.Evaluate)
	if r.Evaluate.Prompts == nil {
		r.Evaluate.Prompts = []string{}
	}
	if _, written := l.source.blocks[b.ref]; written && !r.Data.hasEvaluation() && len(r.Evaluate.Prompts) == 0 && !b.Given["prompts"] {
		l.add(caution(b.block.DefRange(), "Nothing to evaluate",
			"There is neither data \"eval\" nor a prompt. data \"eval\" { fraction = 0.05 } sets a part of the training data aside."))
	}
}

func (l *loader) readCheckpoint(r *Run, b *decodedBlock) {
	l.fill(b, &r.Checkpoint)
	evalWritten := false
	for ref := range l.source.blocks {
		evalWritten = evalWritten || ref.Block == "data" && ref.Label == "eval"
	}
	if r.Checkpoint.Best && !evalWritten {
		l.refuse(l.at(b, "best"), "Contradiction", "The best checkpoint is the one with the lowest loss on data \"eval\", which the run lacks. "+
			"data \"eval\" { fraction = 0.05 } sets a part of the training data aside.")
	}
}

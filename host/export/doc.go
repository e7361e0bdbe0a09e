// Package export turns what a run trained into what other programs load: an
// adapter in PEFT's format, or a merged model as safetensors, with configuration
// and tokenizer beside it.
package export

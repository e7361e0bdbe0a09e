// Package tokenizer turns text into token ids and back, with the ids of the
// Python tokenizers library (0.23).
//
// A [Tokenizer] is read from a tokenizer.json ([Load]) or from the metadata of
// a GGUF file ([FromGGUF]). Encoding goes through the stages that the file
// describes:
//
//	text ── added tokens ── normalizer ── pre-tokenizer ── model ── post-processor ── ids
//
// Added tokens, such as <|im_end|>, are cut out of the text first. The
// normalizer changes what lies between them (Unicode normal forms, spaces to
// ▁), the pre-tokenizer cuts it into words, and the model merges each word's
// characters into tokens: byte-pair encoding, over bytes (GPT-2, Llama 3, Qwen,
// SmolLM) or over characters with bytes for unknown ones (Llama 2, Gemma). The
// post-processor adds what begins and ends a sequence. Decoding is the decoder's
// work, on its own; a [Stream] decodes token by token.
//
// Every token keeps the range of source bytes that it stands for, whatever the
// stages did to the text, so that a caller can tell which tokens an assistant's
// turn covers.
//
// Truncation and padding that a tokenizer.json asks for are not applied: how
// long a sequence may be is the run's business. Chat templates, packing and
// datasets are other packages'. Models of other types (Unigram, WordPiece,
// WordLevel) are refused with an error that says so.
package tokenizer

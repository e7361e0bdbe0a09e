// Package chat turns the messages of a conversation into the text that a model
// was trained to see, by the chat template that comes with the model, and says
// which parts of the text are the assistant's.
//
// A [Template] renders as transformers' apply_chat_template does, byte for byte:
// the same variables (messages, tools, documents, add_generation_prompt, the
// special tokens), the same treatment of empty fields and of the names under which
// reasoning is given. The Jinja itself is package jinja's.
//
// [Template.RenderTurns] finds the assistant's turns. A template with
// {% generation %} blocks says where they are. Most have none; then they are found
// by rendering: see turns.go for how, and for when it is impossible.
//
// [Find] finds the template of a model in a folder, [FromGGUF] in a GGUF file's
// metadata. This package does not tokenise: the caller maps ranges of text to
// tokens, and must let the tokenizer add no special tokens, since templates write
// their own.
package chat

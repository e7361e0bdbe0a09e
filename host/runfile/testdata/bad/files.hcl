run "files" {
  model { source = "HuggingFaceTB/SmolLM2-135M-Instruct" }
  adapter "lora" { from = "../files/empty" }
  data "train" { source = "../files" }
  data "train" { source = "https://example.com/data.jsonl" }
  data "train" { source = "hf://owner/name" }
  data "train" {
    source        = "../files/chats.jsonl"
    chat_template = "no.jinja"
  }
  data "eval" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}

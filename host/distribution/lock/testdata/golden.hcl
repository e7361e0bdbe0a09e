# What hone runs in this folder, to the byte. hone init writes this file; it is made
# to be committed.

format = 1

plugin "logger-mlflow" {
  version = "0.3.0-rc.1"
  source  = "./plugins"
  sha256 = {
    linux_amd64 = "04000000000000000000000000000000000000000000000000000000000000ff"
  }
}

plugin "model-apertus" {
  version     = "1.2.0"
  constraints = "~> 1.2, != 1.2.1"
  source      = "github.com/swiss-ai/hone-plugin-model-apertus"
  key         = "RWQrEZ2ERyXQW4QyLWeM5EhoTP0mPEsQrrkYlrtXDMp0VFeYl/EWdVRF"
  sha256 = {
    darwin_arm64  = "03000000000000000000000000000000000000000000000000000000000000ff"
    linux_amd64   = "02000000000000000000000000000000000000000000000000000000000000ff"
    windows_amd64 = "01000000000000000000000000000000000000000000000000000000000000ff"
  }
}

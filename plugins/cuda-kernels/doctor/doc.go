// Package doctor finds out whether hone can train on this machine's GPUs, and if not,
// why not and what to do: for hone doctor.
//
// [Examine] looks for NVIDIA's libraries, opens them as a run would, and lets each
// GPU run a kernel. The [Report] it gives is plain data, and text.
//
// It changes nothing, and takes a GPU's memory for as long as it looks.
package doctor

package cubin

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A Log is what ptxas says of kernels under --ptxas-options=-v, and what it warns
// of.
type Log struct {
	Spills   map[string]Spill // by kernel
	Warnings []string         // one line each
}

// A Spill is what a kernel moves between registers and memory because it has too
// few of them, in bytes a thread.
type Spill struct {
	Stores, Loads int
}

var (
	logFunction = regexp.MustCompile(`^ptxas\s+info\s*:\s*Function properties for (\S+)`)
	logSpill    = regexp.MustCompile(`^\s*(?:ptxas\s*\.)?\s*\d+ bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads`)
	logWarning  = regexp.MustCompile(`\b(?:warning|error)\b|\bC75\d\d\b`)
	// logFence is what some versions say where they add a wgmma.fence, which costs nothing.
	logFence = regexp.MustCompile(`\(C7519\) warpgroup\.arrive is injected`)
)

// ParseLog reads a compiler's log; lines that it does not know are passed over.
func ParseLog(log string) Log {
	out := Log{Spills: map[string]Spill{}}
	function := ""
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if found := logFunction.FindStringSubmatch(line); found != nil {
			function = found[1]
			continue
		}
		if found := logSpill.FindStringSubmatch(line); found != nil && function != "" {
			stores, err1 := strconv.Atoi(found[1])
			loads, err2 := strconv.Atoi(found[2])
			if err1 == nil && err2 == nil {
				out.Spills[function] = Spill{stores, loads}
			}
			function = ""
			continue
		}
		if logWarning.MatchString(line) && !logFence.MatchString(line) {
			out.Warnings = append(out.Warnings, strings.TrimSpace(line))
		}
	}
	return out
}

// losses are ptxas' notes that it had to put a wait after every wgmma, which
// makes a Hopper kernel several times slower, or ignored its setmaxnreg: C7504, C7505, C7508, C7510, C7511,
// C7514, C7517, C7519.
var losses = regexp.MustCompile(`\bC75\d\d\b`)

// Losses are the notes that a kernel runs far slower than it was written to; a build
// fails on them.
func (l Log) Losses() []string {
	return slices.DeleteFunc(slices.Clone(l.Warnings), func(w string) bool { return !losses.MatchString(w) })
}

// A Row is a kernel in a table of what kernels take.
type Row struct {
	Source string // file and specialisation
	Arch   string
	Kernel Kernel
	Spill  Spill
}

// Rows are the kernels of a file.
func (f *File) Rows(source, arch string, log Log) []Row {
	var out []Row
	for _, k := range f.Kernels {
		out = append(out, Row{Source: source, Arch: arch, Kernel: k, Spill: log.Spills[k.Name]})
	}
	return out
}

// WriteTable writes a line for each row. Bytes are per thread but for shared
// memory, which is per block.
func WriteTable(w io.Writer, rows []Row) error {
	buffer := bufio.NewWriter(w)
	table := tabwriter.NewWriter(buffer, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "registers\tlocal\tspill stores\tspill loads\tshared\tarchitecture\t\x20kernel")
	for _, r := range rows {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%s\t%s\n", r.Kernel.Registers, r.Kernel.LocalBytes, r.Spill.Stores, r.Spill.Loads,
			r.Kernel.SharedBytes, r.Arch, " "+strings.TrimPrefix(r.Source+" "+r.Kernel.Name, " "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return buffer.Flush()
}

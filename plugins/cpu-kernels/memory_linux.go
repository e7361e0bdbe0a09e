package main

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// availableMemory is the memory that a new process can have without swapping, in
// bytes; 0 where the system does not say. A control group's limit counts too.
func availableMemory() int64 {
	available := int64(0)
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:")
		if !ok {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err == nil {
			available = kilobytes << 10
		}
	}
	if limit := groupLimit(); limit > 0 && (available == 0 || limit < available) {
		available = limit
	}
	return available
}

// residentMemory is what the process has in memory, in bytes.
func residentMemory() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}

// groupLimit is what the control group leaves, 0 for no limit.
func groupLimit() int64 {
	read := func(name string) int64 {
		data, err := os.ReadFile("/sys/fs/cgroup/" + name)
		if err != nil {
			return 0
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	limit := read("memory.max")
	if limit == 0 {
		return 0
	}
	return max(1, limit-read("memory.current"))
}

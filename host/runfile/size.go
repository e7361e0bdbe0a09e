package runfile

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

var sizePattern = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]i?)?B$`)

// ParseSize reads a number of bytes with its unit: "24GiB", "512MB", "1.5 GB".
// KiB, MiB, GiB and TiB are powers of 1024, KB, MB, GB and TB powers of 1000.
func ParseSize(s string) (int64, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is no size: write a number and B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as \"24GiB\"", s)
	}
	base, power := 1000.0, 0
	if m[2] != "" {
		power = map[byte]int{'K': 1, 'M': 2, 'G': 3, 'T': 4}[m[2][0]]
		if len(m[2]) == 2 {
			base = 1024
		}
	}
	number, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: %w", s, err)
	}
	bytes := number * math.Pow(base, float64(power))
	if bytes >= 1<<62 {
		return 0, fmt.Errorf("%q is more than any device has", s)
	}
	return int64(bytes), nil
}

package plugintest_test

import "sync/atomic"

// noise is never the same twice.
var noise atomic.Int64

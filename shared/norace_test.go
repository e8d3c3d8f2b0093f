//go:build !race

package shared

import "github.com/harpia-go/harpia/cache"

// largestTested is the largest value there is.
const largestTested = cache.DefaultMaxValue

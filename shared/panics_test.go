package shared

import (
	"context"
	"iter"

	"github.com/harpia-go/harpia/cache"
)

// panics is a store whose reads panic.
type panics struct{ *cache.Memory }

func (panics) Get(context.Context, string) (cache.Entry, bool, error) { panic("boom") }

func (panics) Scan(context.Context, string) iter.Seq2[string, error] { panic("boom") }

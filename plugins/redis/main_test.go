package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// built is where the tests have put the plugin's binary, once one needs it.
var built string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built != "" {
			_ = os.RemoveAll(built)
		}
		os.Exit(code)
	}))
}

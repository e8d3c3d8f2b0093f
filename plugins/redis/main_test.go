package main

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// built is where the tests have put the plugin's binary, once one needs it.
var built string

func TestMain(m *testing.M) {
	// The tests mostly wait for servers; who says -parallel is obeyed.
	_ = flag.Set("test.parallel", "8")
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built != "" {
			_ = os.RemoveAll(built)
		}
		os.Exit(code)
	}))
}

package reclaim

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"
)

// percent reads the collector's setting.
func percent() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(int64(sample[0].Value.Uint64()))
}

// returned is how often memory was returned, which forces two collections.
func returned() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() / 2 // see look
}

func TestBurst(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	synctest.Test(t, func(t *testing.T) {
		var r Reclaimer
		defer r.Close()
		before := returned()
		r.Add(heavy)
		if percent() != garbage {
			t.Errorf("with %d bytes in flight the collector is at %d, want %d", heavy, percent(), garbage)
		}
		for range 5 { // values keep coming
			time.Sleep(quiet / 2)
			r.Add(-heavy)
			r.Add(heavy)
		}
		synctest.Wait()
		if n := returned() - before; n != 0 {
			t.Errorf("memory was returned %d times while values came", n)
		}
		r.Add(-heavy)
		time.Sleep(2*quiet + 1)
		synctest.Wait()
		if n := returned() - before; n != 1 || percent() != 100 {
			t.Errorf("after the burst memory was returned %d times, and the collector is at %d; want 1 and 100", n, percent())
		}
		time.Sleep(time.Hour)
		if n := returned() - before; n != 1 {
			t.Errorf("memory was returned %d times though nothing came", n)
		}
	})
}

// A client that takes its time keeps its own bytes from being returned, and no
// others.
func TestSlowClient(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	synctest.Test(t, func(t *testing.T) {
		var r Reclaimer
		defer r.Close()
		before := returned()
		r.Add(2 * heavy)
		r.Add(-heavy)
		time.Sleep(2*quiet + 1)
		synctest.Wait()
		if n := returned() - before; n != 1 || percent() != garbage {
			t.Errorf("memory was returned %d times, and the collector is at %d; want 1 and %d", n, percent(), garbage)
		}
		time.Sleep(10 * quiet)
		r.Add(-heavy)
		time.Sleep(2*quiet + 1)
		synctest.Wait()
		if n := returned() - before; n != 2 || percent() != 100 {
			t.Errorf("in the end memory was returned %d times, and the collector is at %d; want 2 and 100", n, percent())
		}
	})
}

func TestSmallValuesChangeNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	synctest.Test(t, func(t *testing.T) {
		var r Reclaimer
		defer r.Close()
		before := returned()
		r.Passed(burst/2 - 1)
		time.Sleep(time.Minute)
		if n := returned() - before; n != 0 || percent() != 100 {
			t.Errorf("memory was returned %d times, and the collector is at %d", n, percent())
		}
	})
}

// A setting that is tighter, or off, is somebody's choice.
func TestTheUsersSettingStays(t *testing.T) {
	for _, chosen := range []int{-1, garbage - 1} {
		restore := debug.SetGCPercent(chosen)
		var r Reclaimer
		r.Add(heavy)
		if percent() != chosen {
			t.Errorf("the collector is at %d, want %d", percent(), chosen)
		}
		r.Close()
		if percent() != chosen {
			t.Errorf("after Close the collector is at %d, want %d", percent(), chosen)
		}
		debug.SetGCPercent(restore)
	}
}

func TestClose(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	var r Reclaimer
	r.Add(heavy)
	r.Close()
	r.Add(heavy)
	if percent() != 100 {
		t.Errorf("after Close the collector is at %d, want 100", percent())
	}
	(*Reclaimer)(nil).Add(heavy)
	(*Reclaimer)(nil).Close()
}

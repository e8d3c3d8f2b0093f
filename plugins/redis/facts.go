package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// release is a version of Redis, major and minor; the zero value is unknown.
type release [2]int

var (
	oldest     = release{6, 2} // SET with PXAT
	withExpiry = release{7, 0} // PEXPIRETIME, EVALSHA_RO
)

func (r release) before(other release) bool {
	return r[0] < other[0] || r[0] == other[0] && r[1] < other[1]
}

// facts are what a server tells of itself.
type facts struct {
	mode    mode
	release release
	replica bool
	resp3   bool
}

// identify asks a server what it is.
func identify(ctx context.Context, client rueidis.Client) (facts, error) {
	hello, err := client.Do(ctx, client.B().Arbitrary("HELLO").Build()).AsMap()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return identifyOld(ctx, client)
	}
	if err != nil {
		return facts{}, err
	}
	text := func(field string) string {
		m := hello[field]
		s, _ := m.ToString()
		return s
	}
	proto := hello["proto"]
	n, _ := proto.AsInt64()
	return facts{
		mode:    mode(text("mode")),
		release: parseRelease(text("version")),
		replica: text("role") == "replica" || text("role") == "slave",
		resp3:   n >= 3,
	}, nil
}

// identifyOld asks a server that does not know HELLO. One that does not know
// INFO either, such as a proxy, is taken for a server of its own.
func identifyOld(ctx context.Context, client rueidis.Client) (facts, error) {
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return facts{mode: standalone}, nil
	}
	if err != nil {
		return facts{}, err
	}
	f := facts{mode: standalone}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version":
			f.release = parseRelease(value)
		case "redis_mode":
			f.mode = mode(value)
		case "role":
			f.replica = value == "slave"
		}
	}
	return f, nil
}

func parseRelease(text string) release {
	major, rest, _ := strings.Cut(text, ".")
	minor, _, _ := strings.Cut(rest, ".")
	var r release
	var err error
	if r[0], err = strconv.Atoi(major); err != nil {
		return release{}
	}
	if r[1], err = strconv.Atoi(minor); err != nil {
		return release{}
	}
	return r
}

// supported refuses a server that lacks what the store cannot do without.
func (f facts) supported() error {
	if f.release != (release{}) && f.release.before(oldest) {
		return wrongSetting("the server is Redis %d.%d: %d.%d or later is needed, for SET with an absolute expiry (PXAT) and for what scripts may do",
			f.release[0], f.release[1], oldest[0], oldest[1])
	}
	return nil
}

func (r release) String() string {
	if r == (release{}) {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d", r[0], r[1])
}

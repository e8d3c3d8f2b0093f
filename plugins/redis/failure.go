package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// answers is what an error of the server means, by its first word, and what
// to do. Other settings mend those that are marked.
var answers = map[string]struct {
	text    string
	setting bool
}{
	"LOADING":     {text: "the server is loading its data into memory: try again when it has"},
	"READONLY":    {text: "the server is a replica and takes no writes: name the primary, or the sentinels that know it"},
	"MASTERDOWN":  {text: "the server is a replica that has lost its primary: start the primary, or have sentinels choose another"},
	"CLUSTERDOWN": {text: "the cluster does not serve all slots: see CLUSTER INFO on one of its nodes"},
	"TRYAGAIN":    {text: "the slot of the key is just moving to another node: try again"},
	"MOVED":       {text: "the server belongs to a cluster: leave mode out, or set mode=cluster"},
	"OOM":         {text: "the server's memory is full: raise its maxmemory, or give it a maxmemory-policy that evicts"},
	"MISCONF":     {text: "the server takes no writes since it cannot save them: see its log and its disk"},
	"NOREPLICAS":  {text: "the server takes no writes since too few replicas are connected to it"},
	"BUSY":        {text: "the server is busy with a script of somebody else's: SCRIPT KILL ends it"},
	"DENIED":      {text: "the server is in protected mode: give it a password, or connect from its own machine"},
	"NOAUTH":      {text: "the server wants a password: set password_file, or password", setting: true},
	"WRONGPASS":   {text: "the server refuses the user or the password: mend username, and password_file or password", setting: true},
	"NOPERM":      {text: "the server's access control list does not let this user do that: ", setting: true},
	"NOPROTO":     {text: "the server speaks neither RESP3 nor RESP2"},
}

// unavailable is err of a call, or of an attempt to connect, as the store
// returns it. The end of the caller's own context is told as it is.
func unavailable(caller context.Context, timeout time.Duration, err error) error {
	if cause := caller.Err(); cause != nil {
		return cause
	}
	if told(err) {
		return err
	}
	if redis, ok := rueidis.IsRedisErr(err); ok {
		text, known := meaning(redis)
		if !known {
			return fmt.Errorf("redis: the server answers: %s", text)
		}
		return fmt.Errorf("%w: redis: %s", cache.ErrUnavailable, text)
	}
	return fmt.Errorf("%w: redis: %s", cache.ErrUnavailable, trouble(timeout, err))
}

// told reports whether err is the store's own, and says what it has to.
func told(err error) bool {
	for _, own := range []error{cache.ErrUnavailable, cache.ErrClosed, cache.ErrNotCounter, cache.ErrTooLarge, errors.ErrUnsupported, errAnswer} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// misconfigured is the error of an attempt to connect if other settings would
// help, and nil if not.
func misconfigured(timeout time.Duration, err error) error {
	if errors.Is(err, shared.ErrSetting) {
		return err
	}
	if redis, ok := rueidis.IsRedisErr(err); ok {
		text := redis.Error()
		switch {
		case answers[word(text)].setting:
			text, _ = meaning(redis)
		case strings.Contains(text, "DB index is out of range"):
			text = "db: the server has fewer databases"
		case strings.Contains(text, "SELECT is not allowed in cluster mode"):
			text = "db: a cluster has only the database 0"
		case strings.Contains(text, "without any password configured"), strings.Contains(text, "no password is set"):
			text = "password: the server has none set: leave it out"
		default:
			return nil
		}
		return wrongSetting("%s", text)
	}
	if aboutTLS(err) != "" {
		return wrongSetting("%s", trouble(timeout, err))
	}
	return nil
}

// meaning is the text for an error of the server, and whether it is in the
// table.
func meaning(redis *rueidis.RedisError) (string, bool) {
	text := withoutArguments(redis.Error())
	a, known := answers[word(text)]
	switch {
	case known && strings.HasSuffix(a.text, ": "):
		return a.text + text, true
	case known:
		return a.text + " (" + word(text) + ")", true
	case strings.Contains(text, "max number of clients reached"):
		return "the server has as many clients as it takes: raise its maxclients", true
	}
	return text, false
}

// word is what the error of a server begins with, without ERR, as rueidis tells
// it. Before Redis 7 that of a script stands behind the place where it came up.
func word(text string) string {
	const place = "@user_script"
	if i := strings.LastIndex(text, place); i >= 0 && strings.HasPrefix(text, "Error running script") {
		text = strings.TrimLeft(text[i+len(place):], ": 0123456789-")
	}
	first, _, _ := strings.Cut(text, " ")
	return first
}

// withoutArguments cuts off what a server repeats of a command that it does
// not know: there may be a password in it.
func withoutArguments(text string) string {
	text, _, _ = strings.Cut(text, ", with args")
	return text
}

// unfriendly is the error of a server that was reached and said nothing that
// makes sense: it may be waiting for something else.
type unfriendly struct {
	error
	hint string
}

func (u unfriendly) Unwrap() error { return u.error }

// unlessHeard adds to the error of an attempt to connect what may be wrong, if
// the server was reached and has said nothing.
func (c *config) unlessHeard(err error) error {
	_, refused := rueidis.IsRedisErr(err)
	var dial *net.OpError
	reached := !errors.As(err, &dial) || dial.Op != "dial"
	if err == nil || refused || !reached || c.network == "unix" || aboutTLS(err) != "" || errors.Is(err, shared.ErrSetting) {
		return err
	}
	switch {
	case !c.secure:
		return unfriendly{err, "if it speaks TLS, begin the URL with rediss://"}
	case isTimeout(err):
		return unfriendly{err, "if it does not speak TLS, begin the URL with redis://"}
	case c.tls.cert == "":
		return unfriendly{err, "it may want a certificate in tls_cert and tls_key"}
	}
	return err
}

// trouble says what is the matter when no answer came.
func trouble(timeout time.Duration, err error) string {
	var u unfriendly
	if errors.As(err, &u) {
		return trouble(timeout, u.error) + "; " + u.hint
	}
	var dial *net.OpError
	isDial := errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil
	switch text := aboutTLS(err); {
	case text != "":
		return text
	case errors.Is(err, syscall.ECONNREFUSED) && isDial:
		return fmt.Sprintf("nobody listens on %s: start the server, or mend the address", dial.Addr)
	case isTimeout(err):
		return fmt.Sprintf("the server did not answer within %s: see whether it is overloaded or stopped, or raise timeout", timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), errors.Is(err, rueidis.ErrClosing), errors.Is(err, context.Canceled):
		return "the connection to the server broke"
	case errors.Is(err, rueidis.ErrNoSlot):
		return answers["CLUSTERDOWN"].text
	case errors.Is(err, shared.ErrSetting):
		return strings.TrimPrefix(err.Error(), shared.ErrSetting.Error()+": ")
	}
	return withoutArguments(err.Error())
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// aboutTLS is the text for an error that a wrong name, authority, certificate
// or scheme gives; empty for others.
func aboutTLS(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var remote *net.OpError
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("the server's certificate is for another name: connect to one of its names (%s)", name.Error())
	case errors.As(err, &authority):
		return "the server's certificate is signed by an authority that is not known here: name its certificate in tls_ca"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return fmt.Sprintf("the server's certificate is not good: %v", err)
	case errors.As(err, &record):
		return "the server does not speak TLS: begin the URL with redis://"
	case errors.As(err, &remote) && remote.Op == "remote error":
		return fmt.Sprintf("the server refuses the TLS connection: it may want a certificate in tls_cert and tls_key (%v)", remote.Err)
	case strings.Contains(err.Error(), "received unknown message type: 21"):
		return "the server speaks TLS: begin the URL with rediss://"
	}
	return ""
}

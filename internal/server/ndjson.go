package server

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// linesChunk and linesEvery say when lines are sent on: what comes first.
	linesChunk = 32 << 10
	linesEvery = 200 * time.Millisecond
)

// lines are gathered, so that each is not a packet, and not for long.
type lines struct {
	w    *response
	buf  []byte
	sent time.Time
}

// add appends text to the present line. It is for what needs no escapes.
func (l *lines) add(text ...string) {
	for _, t := range text {
		l.buf = append(l.buf, t...)
	}
}

// quote appends a JSON string.
func (l *lines) quote(text string) {
	l.buf, _ = jsontext.AppendQuote(l.buf, text)
}

// end ends the present line.
func (l *lines) end() error {
	l.buf = append(l.buf, '\n')
	if len(l.buf) < linesChunk && time.Since(l.sent) < linesEvery {
		return nil
	}
	if err := l.send(); err != nil {
		return err
	}
	l.sent = time.Now()
	return l.w.flush()
}

func (l *lines) send() error {
	if l.w.status == 0 {
		l.w.Header().Set("Content-Type", ndjson)
		l.w.WriteHeader(http.StatusOK)
	}
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// value appends a value as a member of an object: as text if it is UTF-8, else
// as base64. It is encoded piece by piece, since a text may be six times as long
// in JSON.
func (l *lines) value(value []byte) error {
	if !utf8.Valid(value) {
		l.add(`"value_base64":"`)
		return l.pieces(value, false, base64.StdEncoding.AppendEncode)
	}
	l.add(`"value":"`)
	return l.pieces(value, true, appendEscaped)
}

// pieceLen is a multiple of three, so that base64 pads only the last piece.
const pieceLen = 24 << 10

// pieces encodes a value, a text between its runes.
func (l *lines) pieces(value []byte, text bool, encode func(to, piece []byte) []byte) error {
	for len(value) > pieceLen {
		n := pieceLen
		for text && !utf8.RuneStart(value[n]) {
			n--
		}
		l.buf = encode(l.buf, value[:n])
		value = value[n:]
		if len(l.buf) >= linesChunk {
			if err := l.send(); err != nil {
				return err
			}
		}
	}
	l.buf = append(encode(l.buf, value), '"')
	return nil
}

// appendEscaped appends UTF-8 as it stands between the quotes of JSON.
func appendEscaped(to, piece []byte) []byte {
	begin := len(to)
	to, _ = jsontext.AppendQuote(to, piece)
	return append(to[:begin], to[begin+1:len(to)-1]...)
}

// problem appends the members of an item that failed.
func (l *lines) problem(line int, err error) {
	p := problemOf(err)
	l.add(`{"line":`, strconv.Itoa(line), `,"error":{"status":`, strconv.Itoa(p.Status), `,"code":"`, p.Code, `","detail":`)
	l.quote(shortened(p.Detail))
	l.add("}}")
}

// shortened bounds what a line costs: a detail may quote what the client sent.
func shortened(detail string) string {
	const most = 300
	if len(detail) <= most {
		return detail
	}
	cut := most
	for !utf8.RuneStart(detail[cut]) {
		cut--
	}
	return detail[:cut] + "…"
}

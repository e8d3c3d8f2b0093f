package main

import (
	"crypto/sha1"
	"encoding/hex"

	"github.com/redis/rueidis"
)

// What takes more than one command but must be one step is a script. Each is
// sent as its digest; a server that does not know it, such as one that was just
// restarted or promoted, is sent the text. All keys of a script are in KEYS,
// and in a cluster there is one.
//
// Redis tells a connection of what it changes by scripts itself, as if others
// had: see watch.go.

// The function expires tells the expiry of a key as PEXPIRETIME does: -1 is none, -2 no key.
const (
	expiresFunction = `
local function expires(key) return redis.call('PEXPIRETIME', key) end`

	// Before 7.0 there is only the time that is left, and the time itself is
	// asked before and after it: within one millisecond they belong together.
	expiresBefore70 = `
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function expires(key)
  while true do
    local at = now()
    local left = redis.call('PTTL', key)
    if left < 0 then return left end
    if now() == at then return at + left end
  end
end`
)

const (
	// readScript: the values of the keys, then their expiries. A key that holds no
	// string has no value, but an expiry.
	readScript = `
local r = redis.call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do r[#KEYS + i] = expires(key) end
return r`

	// swapScript: old value, new value, expiry or nothing. 1: swapped.
	swapScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
end
return 1`

	// removeScript: old value. 1: removed.
	removeScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

	// countScript: delta, expiry or nothing. The sum, as text since a number of Lua
	// has 53 bits, and the expiry.
	countScript = `
local had = expires(KEYS[1])
redis.call('INCRBY', KEYS[1], ARGV[1])
local sum = redis.call('GET', KEYS[1])
if had ~= -2 then return {sum, had} end
if ARGV[2] == '' then return {sum, -1} end
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return {sum, ARGV[2]}`

	// touchScript: expiry or nothing. 1: there was an entry.
	touchScript = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return 0 end
if kind ~= 'string' then return redis.error_reply('WRONGTYPE it is a ' .. kind) end
if ARGV[1] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[1])
end
return 1`
)

// scripts are those that a server understands.
type scripts struct {
	read                       *rueidis.Lua
	readText, readDigest       string
	swap, remove, count, touch *rueidis.Lua
}

// scriptsFor returns the scripts for a server.
func scriptsFor(r release) scripts {
	prelude, newRead := expiresFunction, rueidis.NewLuaScriptReadOnly
	if r.before(withExpiry) {
		prelude, newRead = expiresBefore70, rueidis.NewLuaScript
	}
	digest := sha1.Sum([]byte(prelude + readScript))
	return scripts{
		read:       newRead(prelude + readScript),
		readText:   prelude + readScript,
		readDigest: hex.EncodeToString(digest[:]),
		swap:       rueidis.NewLuaScript(swapScript),
		remove:     rueidis.NewLuaScript(removeScript),
		count:      rueidis.NewLuaScript(prelude + countScript),
		touch:      rueidis.NewLuaScript(touchScript),
	}
}

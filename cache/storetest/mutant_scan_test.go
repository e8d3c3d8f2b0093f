package storetest

import (
	"context"
	"errors"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"
)

// listed makes Scan yield a list that is made when it begins.
func (b *broken) listed(list func(prefix string) []string) {
	b.scan = func(_ context.Context, prefix string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, key := range list(prefix) {
				if !yield(key, nil) {
					return
				}
			}
		}
	}
}

// matching makes Scan and Clear use another relation than "begins with".
func (b *broken) matching(match func(key, prefix string) bool) {
	b.listed(func(prefix string) []string {
		return slices.DeleteFunc(b.sorted(""), func(key string) bool { return !match(key, prefix) })
	})
	b.clear = func(ctx context.Context, prefix string) error {
		for key, err := range b.scan(ctx, prefix) {
			if err != nil {
				return err
			}
			b.reference.Delete(ctx, key)
		}
		return nil
	}
}

// sorted returns the keys that begin with prefix, in their order.
func (b *broken) sorted(prefix string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for key := range b.entries {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func scanMutants() []mutant {
	return []mutant{{
		"Scan yields a key twice", []string{"scan/all", "scan/prefix", "scan/others-come-and-go"},
		func(b *broken) {
			b.listed(func(prefix string) []string {
				keys := b.sorted(prefix)
				return append(keys, keys[:min(1, len(keys))]...)
			})
		},
	}, {
		"Scan ignores the prefix", []string{"scan/prefix", "scan/none", "clear/prefix", "clear/many", "clear/none"},
		func(b *broken) { b.matching(func(string, string) bool { return true }) },
	}, {
		"a prefix is a pattern of a shell", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool {
				// path.Match stops at a slash.
				ok, err := path.Match(strings.ReplaceAll(prefix, "/", "|")+"*", strings.ReplaceAll(key, "/", "|"))
				return ok && err == nil
			})
		},
	}, {
		"a prefix is a regular expression", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool {
				re, err := regexp.Compile("^(?s:" + prefix + ")")
				return err == nil && re.MatchString(key)
			})
		},
	}, {
		"a prefix ends with its last byte plus one, without a carry", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool {
				end := []byte(prefix)
				if len(end) > 0 {
					end[len(end)-1]++
				}
				return key >= prefix && key < string(end)
			})
		},
	}, {
		"a prefix is a path", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool {
				return key == prefix || strings.HasPrefix(key, strings.TrimSuffix(prefix, "/")+"/")
			})
		},
	}, {
		"a prefix is compared without regard to case", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool { return strings.HasPrefix(strings.ToLower(key), strings.ToLower(prefix)) })
		},
	}, {
		"a prefix may stand anywhere in a key", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) { b.matching(strings.Contains) },
	}, {
		"Scan gives keys as lines of text", []string{"scan/prefix"},
		func(b *broken) {
			b.listed(func(prefix string) []string {
				return strings.FieldsFunc(strings.Join(b.sorted(prefix), "\n"), func(r rune) bool { return r == '\n' })
			})
		},
	}, {
		"a prefix is compared without the spaces around it", []string{"scan/prefix", "clear/prefix"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool { return strings.HasPrefix(key, strings.TrimSpace(prefix)) })
		},
	}, {
		"Scan stops at 1000", []string{"scan/all"},
		func(b *broken) {
			b.listed(func(prefix string) []string {
				keys := b.sorted(prefix)
				return keys[:min(1000, len(keys))]
			})
		},
	}, {
		"an empty prefix is nothing", []string{"scan/everything"},
		func(b *broken) {
			b.matching(func(key, prefix string) bool { return prefix != "" && strings.HasPrefix(key, prefix) })
		},
	}, {
		"Scan of nothing is an error", []string{"scan/none"},
		func(b *broken) {
			b.scan = func(ctx context.Context, prefix string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					any := false
					for key, err := range b.reference.Scan(ctx, prefix) {
						any = true
						if !yield(key, err) {
							return
						}
					}
					if !any {
						yield("", errors.New("no such keys"))
					}
				}
			}
		},
	}, {
		"Scan lists what is gone", []string{"scan/gone"},
		func(b *broken) {
			b.scan = func(_ context.Context, prefix string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					b.mu.Lock()
					defer b.mu.Unlock()
					for key := range b.entries {
						if strings.HasPrefix(key, prefix) && !yield(key, nil) {
							return
						}
					}
				}
			}
		},
	}, {
		"Scan goes on when the consumer has stopped", []string{"scan/stopped"},
		func(b *broken) {
			b.scan = func(ctx context.Context, prefix string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for key, err := range b.reference.Scan(ctx, prefix) {
						yield(key, err)
					}
				}
			}
		},
	}, {
		"Scan goes by position", []string{"scan/store-used", "scan/others-come-and-go"},
		func(b *broken) {
			// Keys in order, ten at a time, from where the last ten ended.
			b.scan = func(ctx context.Context, prefix string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for from := 0; ; from += 10 {
						keys := b.sorted(prefix)
						if from >= len(keys) {
							return
						}
						for _, key := range keys[from:min(from+10, len(keys))] {
							if !yield(key, nil) {
								return
							}
						}
					}
				}
			}
		},
	}, {
		"Scan cut short by its context looks complete", []string{"scan/context-ends"},
		func(b *broken) {
			b.scan = func(ctx context.Context, prefix string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for key, err := range b.reference.Scan(ctx, prefix) {
						if err != nil || !yield(key, nil) {
							return
						}
					}
				}
			}
		},
	}, {
		"a second Scan meanwhile takes the place of the first", []string{"scan/nested"},
		func(b *broken) {
			var cursor []string
			b.scan = func(_ context.Context, prefix string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for cursor = b.sorted(prefix); len(cursor) > 0; {
						key := cursor[0]
						cursor = cursor[1:]
						if !yield(key, nil) {
							return
						}
					}
				}
			}
		},
	}, {
		"Clear does nothing", []string{"clear/prefix", "clear/many"},
		func(b *broken) { b.clear = func(context.Context, string) error { return nil } },
	}, {
		"Clear wipes its neighbours", []string{"clear/prefix", "clear/many", "clear/none"},
		func(b *broken) {
			b.clear = func(ctx context.Context, prefix string) error { return b.reference.Clear(ctx, prefix[:len(prefix)-1]) }
		},
	}, {
		"Clear removes 512 at most", []string{"clear/many"},
		func(b *broken) {
			b.clear = func(ctx context.Context, prefix string) error {
				keys := b.sorted(prefix)
				return b.reference.DeleteMany(ctx, keys[:min(len(keys), 512)])
			}
		},
	}, {
		"Clear of nothing is an error", []string{"clear/none"},
		func(b *broken) {
			b.clear = func(ctx context.Context, prefix string) error {
				if len(b.sorted(prefix)) == 0 {
					return errors.New("no such keys")
				}
				return b.reference.Clear(ctx, prefix)
			}
		},
	}}
}

package cache

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"
)

// A shape is what a codec's library does with a type at one place: how it writes
// it, how it reads it, and what of a value has to be checked before it is written.
// Shapes are made once a type; they refer to each other as types do.
type shape struct {
	g    grammar
	t    reflect.Type
	kind shapeKind
	err  error // refused and lost: why

	place place
	elem  *shape
	key   keyCheck
	parts []part // of a struct
	lost  []part // of a struct: hidden fields, which must be zero

	write, read way  // own: the methods
	compare     bool // own: whether a value has to be compared with what is read back

	live   bool // whether check has anything to look at
	holds  bool // whether there is an any in it that settle has to see
	deep   bool // whether the type does not bound how deep a value nests
	agrees bool // whether all that it refers to is simple, see grammar
}

// place is where a value stands, as far as a library treats it differently there.
type place struct {
	addressable bool // methods on pointers can be called
	generic     bool // in an any: read as a map, a slice, a number …, not as the type
}

type part struct {
	structField
	*shape
}

type shapeKind uint8

const (
	plainShape   shapeKind = iota // comes back as it is, whatever it is
	textShape                     // must be UTF-8
	floatShape                    // see grammar.float
	timeShape                     // see checkTime
	numberShape                   // json.Number
	rawShape                      // json.RawMessage
	structShape                   //
	listShape                     // a slice or an array
	mapShape                      //
	pointerShape                  //
	anyShape                      // an interface without methods
	ownShape                      // a type with methods that write or read it
	emptyShape                    // a struct of whose fields none is stored: only a nil pointer to it is
	refusedShape                  // nothing of this type is stored
)

// way is how a library writes or reads a type.
type way uint8

const (
	byKind   way = iota // as its kind
	byMethod            // MarshalJSON, MarshalCBOR
	byText              // MarshalText
	byBinary            // MarshalBinary
)

// keyCheck is what a map's keys need.
type keyCheck uint8

const (
	keyPlain  keyCheck = iota
	keyText            // must be UTF-8
	keyOwn             // each must come back as it is
	keyUnique          // in an any: no two may be written alike
)

// grammar is what differs between the codecs.
type grammar interface {
	memo() *shapeMemo
	tag(f reflect.StructField) fieldTag
	// leaf returns the shape of the types that the library knows by themselves, and
	// of kinds that it cannot write. ok: t is one of them.
	leaf(t reflect.Type, p place) (kind shapeKind, err error, ok bool)
	// ways returns how the library writes and reads t.
	ways(t reflect.Type, p place) (write, read way)
	// key returns what the keys of a map of type t need.
	key(t reflect.Type, p place) (keyCheck, error)
	// inMap reports whether what a map or an interface holds can be addressed.
	inMap() bool
	// simple reports whether go-json-experiment/json has the grammar of
	// encoding/json for a type of this shape, those that it refers to aside.
	simple(s *shape) bool
	float(f float64, bits int, p place) error
	time(t time.Time, p place) error
	// raw checks the bytes that a method or a RawMessage brings.
	raw(data []byte, p place) error
	marshal(v any) ([]byte, error)
	unmarshal(data []byte, v any) error
}

// shapeMemo keeps the shapes of types by their place. What a type's shape is never
// changes, and a program has only so many types.
type shapeMemo [4]sync.Map

func (m *shapeMemo) at(p place) *sync.Map {
	i := 0
	if p.addressable {
		i |= 1
	}
	if p.generic {
		i |= 2
	}
	return &m[i]
}

// shapeOf returns the shape of type t at place p.
func shapeOf(g grammar, t reflect.Type, p place) *shape {
	memo := g.memo().at(p)
	if s, ok := memo.Load(t); ok {
		return s.(*shape)
	}
	b := shaping{g: g, made: map[reflect.Type]map[place]*shape{}}
	root := b.shape(t, p)
	for _, s := range b.all {
		reached := map[*shape]bool{}
		s.deep = s.reaches(s, reached)
		reached[s] = true
		s.live, s.agrees = s.deep, true
		for r := range reached {
			s.live = s.live || r.looks()
			s.holds = s.holds || r.kind == anyShape || r.kind == mapShape && r.t.Key().Kind() == reflect.Interface
			s.deep = s.deep || r.kind == anyShape || r.kind == ownShape || r.kind == rawShape
			s.agrees = s.agrees && g.simple(r)
		}
	}
	kept, _ := memo.LoadOrStore(t, root)
	return kept.(*shape)
}

// looks reports whether check looks at a value of this shape for its own sake.
func (s *shape) looks() bool {
	switch s.kind {
	case textShape, floatShape, timeShape, numberShape, rawShape, anyShape, ownShape, emptyShape, refusedShape:
		return true
	case structShape:
		return len(s.lost) > 0
	case mapShape:
		return s.key != keyPlain
	}
	return false
}

// next yields the shapes that s refers to.
func (s *shape) next(yield func(*shape)) {
	if s.elem != nil {
		yield(s.elem)
	}
	for _, p := range s.parts {
		yield(p.shape)
	}
}

// reaches fills seen with all that s refers to and reports whether target is there.
func (s *shape) reaches(target *shape, seen map[*shape]bool) bool {
	found := false
	s.next(func(n *shape) {
		if n == target {
			found = true
		}
		if !seen[n] {
			seen[n] = true
			found = n.reaches(target, seen) || found
		}
	})
	return found
}

// refusal returns why no type that contains this one can be stored, with the path
// of the field. A pointer may be nil, so what is behind one is left to check where
// only its value is lost.
func (s *shape) refusal() error {
	seen := map[*shape]bool{}
	var walk func(s *shape, optional bool) error
	walk = func(s *shape, optional bool) error {
		switch s.kind {
		case refusedShape:
			return s.reason()
		case emptyShape:
			if !optional {
				return s.reason()
			}
		}
		if seen[s] {
			return nil
		}
		seen[s] = true
		if s.elem != nil {
			step := ""
			switch s.kind {
			case listShape, mapShape:
				step = "[]"
			}
			if err := walk(s.elem, s.kind == pointerShape); err != nil && step != "" {
				return at(step, err)
			} else if err != nil {
				return err
			}
		}
		for _, p := range s.parts {
			if err := walk(p.shape, false); err != nil {
				return at("."+p.where, err)
			}
		}
		return nil
	}
	for s.kind == pointerShape && !seen[s] {
		seen[s] = true
		s = s.elem
	}
	clear(seen)
	return walk(s, false)
}

// shaping is the making of a shape and of all that it refers to.
type shaping struct {
	g    grammar
	made map[reflect.Type]map[place]*shape
	all  []*shape
}

var errRound = errors.New("it has no end")

func (b *shaping) shape(t reflect.Type, p place) *shape {
	if s := b.made[t][p]; s != nil {
		return s
	}
	s := &shape{g: b.g, t: t, place: p}
	if b.made[t] == nil {
		b.made[t] = map[place]*shape{}
	}
	b.made[t][p] = s
	b.all = append(b.all, s)
	b.fill(s)
	return s
}

// reason returns s.err for the caller to lengthen its path.
func (s *shape) reason() error {
	if p, ok := s.err.(*pathError); ok {
		return &pathError{slices.Clone(p.steps), p.err}
	}
	return s.err
}

func (s *shape) refuse(kind shapeKind, format string, args ...any) {
	s.kind, s.err = kind, fmt.Errorf(format, args...)
}

func (b *shaping) fill(s *shape) {
	t, p := s.t, s.place
	if t.Kind() == reflect.Pointer {
		end := t
		for seen := map[reflect.Type]bool{}; end.Kind() == reflect.Pointer; end = end.Elem() {
			if seen[end] {
				s.kind, s.err = refusedShape, fmt.Errorf("type %v: %w", t, errRound)
				return
			}
			seen[end] = true
		}
		s.kind, s.elem = pointerShape, b.shape(t.Elem(), place{true, p.generic})
		return
	}
	if kind, err, ok := b.g.leaf(t, p); ok {
		s.kind, s.err = kind, err
		return
	}
	if s.write, s.read = b.g.ways(t, p); s.write != byKind || s.read != byKind && !p.generic || s.unaddressed() {
		b.fillOwn(s)
		return
	}
	switch t.Kind() {
	case reflect.String:
		s.kind = textShape
	case reflect.Float32, reflect.Float64:
		s.kind = floatShape
	case reflect.Slice, reflect.Array:
		s.kind, s.elem = listShape, b.shape(t.Elem(), place{p.addressable || t.Kind() == reflect.Slice, p.generic})
	case reflect.Map:
		s.kind, s.elem = mapShape, b.shape(t.Elem(), place{b.g.inMap(), p.generic})
		if s.key, s.err = b.g.key(t, p); s.err != nil {
			s.kind, s.elem = refusedShape, nil
		}
	case reflect.Interface:
		s.kind = anyShape
		if t.NumMethod() > 0 {
			s.refuse(refusedShape, "interface %v: what it holds cannot be read back, since its type is not stored", t)
		}
	case reflect.Struct:
		b.fillStruct(s)
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		s.refuse(refusedShape, "type %v cannot be stored", t)
	}
}

func (b *shaping) fillStruct(s *shape) {
	stored, hidden, err := structFields(s.t, b.g.tag)
	if err != nil {
		s.kind, s.err = refusedShape, err
		return
	}
	s.kind = structShape
	if len(stored) == 0 && s.t.NumField() > 0 {
		s.refuse(emptyShape, "struct %v has no field that is stored, and no methods that write and read it", s.t)
		return
	}
	for _, f := range stored {
		// A struct that is embedded by a pointer is addressable, its parts too.
		p := s.place
		for i, on := 1, s.t; i < len(f.index); i++ {
			if on.Kind() == reflect.Pointer {
				on = on.Elem()
			}
			on = on.Field(f.index[i-1]).Type
			p.addressable = p.addressable || on.Kind() == reflect.Pointer
		}
		s.parts = append(s.parts, part{f, b.shape(f.sf.Type, p)})
	}
	for _, f := range hidden {
		s.lost = append(s.lost, part{f, nil})
	}
}

// fillOwn is for types with methods. A pair of them is taken at its word: what it
// leaves out is what the type means. A value that is written in one way and read
// in another has to be seen to come back.
func (b *shaping) fillOwn(s *shape) {
	s.kind = ownShape
	if s.t.Kind() == reflect.Struct && s.t.Name() == "" {
		s.refuse(refusedShape, "%v has methods of a type that it embeds, and needs a name for them to be found", s.t)
		return
	}
	if s.unaddressed() {
		s.refuse(refusedShape, "%v writes itself by a method on its pointer, which cannot be called here: use *%v", s.t, s.t)
		return
	}
	if s.place.generic {
		s.compare = s.read != byKind && b.promoted(s.t)
		return
	}
	s.compare = s.write != s.read || b.promoted(s.t)
	text := s.t.Kind() == reflect.String || s.t.Kind() == reflect.Slice
	if !text && (s.write == byKind && s.read == byText || s.read == byKind && (s.write == byText || s.write == byBinary)) {
		s.refuse(refusedShape, "%v has a method that writes it as text or bytes, or one that reads it, but not both", s.t)
	}
}

// unaddressed reports whether a method that would write s is not called because
// the value has no address.
func (s *shape) unaddressed() bool {
	with, _ := s.g.ways(s.t, place{addressable: true, generic: s.place.generic})
	return with != s.write
}

// promoted reports whether t is a struct with several fields that has its methods
// perhaps from one that it embeds, which knows nothing of the others.
func (b *shaping) promoted(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			under := f.Type
			if under.Kind() == reflect.Pointer {
				under = under.Elem()
			}
			if write, _ := b.g.ways(under, place{addressable: true}); write != byKind {
				return true
			}
		}
	}
	return false
}

// Sessions keeps what a website knows of a visitor in a store that all its
// servers share, and shows what becomes of two requests at once.
//
//	go run ./examples/sessions --store memory
//	go build -o bin ./examples/sessions && bin/sessions --store redis://127.0.0.1:6379
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

type session struct {
	User string
	Cart []string
}

type sessions struct{ *cache.Cache[session] }

var errLoggedOut = errors.New("there is no such session")

func (s sessions) login(ctx context.Context, user string) (id string, err error) {
	id = rand.Text()
	return id, s.Set(ctx, id, session{User: user})
}

func (s sessions) logout(ctx context.Context, id string) error { return s.Delete(ctx, id) }

// change is how to change a session. Update stores the new one only if the old
// one is still there, and otherwise begins again with what is: no change is
// lost, and a session that is gone stays so.
func (s sessions) change(ctx context.Context, id string, do func(*session)) error {
	return s.Update(ctx, id, func(v session, ok bool) (session, error) {
		if !ok {
			return v, errLoggedOut
		}
		do(&v)
		return v, nil
	})
}

// changeCarelessly is how not to: it stores over whatever another request has
// done since the Get.
func (s sessions) changeCarelessly(ctx context.Context, id string, do func(*session)) error {
	v, ok, err := s.Get(ctx, id)
	if err != nil || !ok {
		return errors.Join(err, errLoggedOut)
	}
	do(&v)
	return s.Set(ctx, id, v)
}

func main() {
	storeURL := flag.String("store", "memory", "store `URL`")
	flag.Parse()
	ctx := context.Background()
	store, err := pluginstore.Open(ctx, *storeURL, nil)
	check(err)
	defer store.Close()
	c, err := cache.New[session](cache.Options{Store: store, Prefix: "session:", TTL: time.Hour})
	check(err)
	s := sessions{c}
	s.show(ctx, "Get and Set", s.changeCarelessly)
	s.show(ctx, "Update", s.change)
}

// show changes a session while other requests do.
func (s sessions) show(ctx context.Context, how string, change func(context.Context, string, func(*session)) error) {
	id, err := s.login(ctx, "alice")
	check(err)
	addPen := func() { check(s.change(ctx, id, put("pen"))) }
	check(change(ctx, id, while(addPen, put("book"))))
	v, _, err := s.Get(ctx, id)
	check(err)
	fmt.Printf("%s: a pen and a book were put into the cart, and it holds %v\n", how, v.Cart)

	logout := func() { check(s.logout(ctx, id)) }
	told := change(ctx, id, while(logout, put("lamp")))
	_, alive, err := s.Get(ctx, id)
	check(err)
	fmt.Printf("%s: after the logout the session is alive: %v; the other request was told: %v\n", how, alive, told)
}

func put(thing string) func(*session) {
	return func(v *session) { v.Cart = append(v.Cart, thing) }
}

// while lets another request come in the middle of a change.
func while(other func(), do func(*session)) func(*session) {
	var once sync.Once
	return func(v *session) { once.Do(other); do(v) }
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

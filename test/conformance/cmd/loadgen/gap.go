package main

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	gapCallTimeout = 5 * time.Second
	gapCallsMax    = 2_000 // in flight; beyond that a tick passes without a call
)

// gaps is how long a client of the whole cluster goes without an answer: one client that knows all
// endpoints begins a put at every tick, whether earlier ones were answered or not. MaxUs is the
// longest time between two answers; P50Us and P99Us are the latencies of what was answered.
// The line "ready" tells that the first answers came.
func gaps(o options, value string) result {
	c, err := clientv3.New(clientv3.Config{Endpoints: o.endpoint, DialTimeout: 10 * time.Second})
	must(err)
	defer c.Close()
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// A connection to every member before anything is measured.
	for call := range 20 * len(o.endpoint) {
		_, err := c.Put(context.Background(), keyOf(call), value)
		must(err)
	}
	var lock sync.Mutex
	var flying, failed atomic.Int64
	var latencies []int64
	started := time.Now()
	last, longest := started, time.Duration(0)
	one := func(call int) {
		defer flying.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), gapCallTimeout)
		defer cancel()
		begin := time.Now()
		_, err := c.Put(ctx, keyOf(call%keySpace), value)
		lock.Lock()
		defer lock.Unlock()
		if err != nil {
			failed.Add(1)
			return
		}
		longest = max(longest, time.Since(last))
		last = time.Now()
		latencies = append(latencies, time.Since(begin).Microseconds())
	}
	tick := time.NewTicker(max(o.pace, time.Millisecond))
	defer tick.Stop()
	fmt.Println("ready")
	end := started.Add(time.Duration(o.seconds * float64(time.Second)))
	for call := 0; time.Now().Before(end) && stopped.Err() == nil; call++ {
		<-tick.C
		if flying.Load() >= gapCallsMax {
			continue
		}
		flying.Add(1)
		go one(call)
	}
	ended := time.Now()
	lock.Lock()
	longest = max(longest, ended.Sub(last)) // not answered to the end
	took := slices.Clone(latencies)
	lock.Unlock()
	r := summarise(o, int64(len(took)), ended.Sub(started), took, 0)
	r.MaxUs, r.Failed = float64(longest.Microseconds()), failed.Load()
	return r
}

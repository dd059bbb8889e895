package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	keySpace     = 10_000
	watcherCount = 1000
	watchPuts    = 4 // concurrent writers that feed the watchers
	rangeKeys    = 20_000
	fillBatch    = 100
	fillWorkers  = 16
	grantWorkers = 200
	drainTimeout = 20 * time.Second
)

func keyOf(n int) string { return fmt.Sprintf("bench/%010d", n) } // 16 bytes

func run(o options, conns []*clientv3.Client) result {
	value := string(make([]byte, o.valueLen))
	switch o.op {
	case "put":
		return closedLoop(o, conns, func(ctx context.Context, c *clientv3.Client, client, call int) (int64, error) {
			_, err := c.Put(ctx, keyOf((client*7919+call*104729)%keySpace), value)
			return 1, err
		})
	case "get", "get-serializable":
		return gets(o, conns, value)
	case "txn":
		return closedLoop(o, conns, func(ctx context.Context, c *clientv3.Client, client, call int) (int64, error) {
			key := keyOf((client*7919 + call*104729) % keySpace)
			_, err := c.Txn(ctx).If(clientv3.Compare(clientv3.Version(key), ">", -1)).
				Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(key)).Commit()
			return 1, err
		})
	case "watch":
		return watch(o, conns, value)
	case "range":
		return ranges(o, conns, value)
	case "keepalive":
		return keepAlive(o, conns)
	case "probe": // serializable gets of one key, without writing anything first
		return closedLoop(o, conns, func(ctx context.Context, c *clientv3.Client, _, _ int) (int64, error) {
			_, err := c.Get(ctx, keyOf(1), clientv3.WithSerializable())
			return 1, err
		})
	case "grant":
		return grant(o, conns, value)
	case "gap":
		return gaps(o, value)
	case "fill":
		return fill(o, conns, value, o.keys)
	default:
		fmt.Fprintln(os.Stderr, "unknown --op", o.op)
		os.Exit(1)
		panic("unreachable")
	}
}

func gets(o options, conns []*clientv3.Client, value string) result {
	fill(o, conns, value, keySpace)
	var options []clientv3.OpOption
	if o.op == "get-serializable" {
		options = append(options, clientv3.WithSerializable())
	}
	return closedLoop(o, conns, func(ctx context.Context, c *clientv3.Client, client, call int) (int64, error) {
		_, err := c.Get(ctx, keyOf((client*7919+call*104729)%keySpace), options...)
		return 1, err
	})
}

// ranges reads 20,000 keys at a time; one operation is one key.
func ranges(o options, conns []*clientv3.Client, value string) result {
	fill(o, conns, value, rangeKeys)
	return closedLoop(o, conns, func(ctx context.Context, c *clientv3.Client, _, _ int) (int64, error) {
		answer, err := c.Get(ctx, "bench/", clientv3.WithRange(keyOf(rangeKeys)))
		if err != nil {
			return 0, err
		}
		return int64(len(answer.Kvs)), nil
	})
}

// fill writes keys in transactions of 100.
func fill(o options, conns []*clientv3.Client, value string, keys int) result {
	cpu := cpuTime(o.pid)
	started := time.Now()
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := range fillWorkers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				from := int(next.Add(fillBatch)) - fillBatch
				if from >= keys {
					return
				}
				ops := make([]clientv3.Op, 0, fillBatch)
				for n := from; n < min(keys, from+fillBatch); n++ {
					ops = append(ops, clientv3.OpPut(keyOf(n), value))
				}
				_, err := conns[worker%len(conns)].Txn(context.Background()).Then(ops...).Commit()
				must(err)
			}
		}()
	}
	wait.Wait()
	return summarise(o, int64(keys), time.Since(started), nil, cpuTime(o.pid)-cpu)
}

// grant makes leases, each with a key of its own if asked for.
func grant(o options, conns []*clientv3.Client, value string) result {
	cpu := cpuTime(o.pid)
	started := time.Now()
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := range grantWorkers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			c := conns[worker%len(conns)]
			for n := next.Add(1); n <= int64(o.keys); n = next.Add(1) {
				lease, err := c.Grant(context.Background(), o.ttl)
				must(err)
				if o.attach {
					_, err = c.Put(context.Background(), fmt.Sprintf("leased/%d", n), value, clientv3.WithLease(lease.ID))
					must(err)
				}
			}
		}()
	}
	wait.Wait()
	return summarise(o, int64(o.keys), time.Since(started), nil, cpuTime(o.pid)-cpu)
}

// watch opens 1000 watchers of one key and writes it; one operation is one event at one watcher.
func watch(o options, conns []*clientv3.Client, value string) result {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var events, puts atomic.Int64
	var created sync.WaitGroup
	for i := range watcherCount {
		created.Add(1)
		watching := conns[i%len(conns)].Watch(ctx, "watched", clientv3.WithCreatedNotify())
		go func() {
			for answer := range watching {
				if answer.Created {
					created.Done()
				}
				events.Add(int64(len(answer.Events)))
			}
		}()
	}
	created.Wait()
	writers := o
	writers.clients = watchPuts
	cpu := cpuTime(o.pid)
	started := time.Now()
	r := closedLoop(writers, conns, func(ctx context.Context, c *clientv3.Client, _, _ int) (int64, error) {
		puts.Add(1)
		_, err := c.Put(ctx, "watched", value)
		return 1, err
	})
	deadline := time.Now().Add(drainTimeout)
	for events.Load() < puts.Load()*watcherCount {
		if time.Now().After(deadline) {
			must(fmt.Errorf("%d events of %d arrived", events.Load(), puts.Load()*watcherCount))
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(started).Seconds()
	r.Operations, r.Seconds, r.PerSecond = events.Load(), took, float64(events.Load())/took
	r.CPUUs = float64((cpuTime(o.pid) - cpu).Microseconds()) / float64(max(1, events.Load()))
	return r
}

// keepAlive renews leases one call at a time on each client's own stream.
func keepAlive(o options, conns []*clientv3.Client) result {
	leases := make([]clientv3.LeaseID, o.clients)
	streams := make([]leaseStream, o.clients)
	for i := range leases {
		granted, err := conns[i%len(conns)].Grant(context.Background(), 600)
		must(err)
		leases[i] = granted.ID
		streams[i] = openLeaseStream(conns[i%len(conns)])
	}
	return closedLoop(o, conns, func(_ context.Context, _ *clientv3.Client, client, _ int) (int64, error) {
		return 1, streams[client].renew(leases[client])
	})
}

// Command loadgen puts one kind of load on an etcd server with clientv3 and prints one JSON line:
// operations, seconds, operations per second, p50 and p99 in microseconds.
//
//	loadgen --endpoint host:port --op put --conns 100 --clients 1000 --seconds 3
//
// With several endpoints and process ids (a,b,c) the connections are spread over the members in
// turn, and processor time is that of all of them. SIGTERM ends the measurement early.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type options struct {
	endpoint []string
	op       string
	conns    int
	clients  int
	seconds  float64
	valueLen int
	keys     int
	pid      []int
	ttl      int64
	attach   bool
	pace     time.Duration
}

// result is what is printed. Operations are calls, watcher-events or keys of a range, by op.
type result struct {
	Op         string  `json:"op"`
	Conns      int     `json:"conns"`
	Clients    int     `json:"clients"`
	Operations int64   `json:"operations"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"perSecond"`
	P50Us      float64 `json:"p50Us"`
	P99Us      float64 `json:"p99Us"`
	MaxUs      float64 `json:"maxUs"`
	CPUUs      float64 `json:"cpuUs"` // the servers' processor time per operation, all threads
	Failed     int64   `json:"failed"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func connect(o options) []*clientv3.Client {
	clients := make([]*clientv3.Client, o.conns)
	for i := range clients {
		c, err := clientv3.New(clientv3.Config{Endpoints: o.endpoint[i%len(o.endpoint) : i%len(o.endpoint)+1], DialTimeout: 10 * time.Second})
		must(err)
		clients[i] = c
	}
	return clients
}

// worker runs one client's call again and again; it returns how many operations one call counted for.
type worker func(ctx context.Context, c *clientv3.Client, client, call int) (int64, error)

// closedLoop runs every client without pause for the time asked.
func closedLoop(o options, conns []*clientv3.Client, work worker) result {
	var operations atomic.Int64
	latencies := make([][]int64, o.clients)
	var wait sync.WaitGroup
	cpu := cpuTime(o.pid)
	started := time.Now()
	end := started.Add(time.Duration(o.seconds * float64(time.Second)))
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for client := range o.clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			c := conns[client%len(conns)]
			for call := 0; ; call++ {
				begin := time.Now()
				if begin.After(end) || stopped.Err() != nil {
					return
				}
				n, err := work(context.Background(), c, client, call)
				must(err)
				operations.Add(n)
				latencies[client] = append(latencies[client], time.Since(begin).Microseconds())
				time.Sleep(o.pace)
			}
		}()
	}
	wait.Wait()
	return summarise(o, operations.Load(), time.Since(started), slices.Concat(latencies...), cpuTime(o.pid)-cpu)
}

func summarise(o options, operations int64, took time.Duration, latencies []int64, cpu time.Duration) result {
	slices.Sort(latencies)
	at := func(q float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return float64(latencies[min(len(latencies)-1, int(q*float64(len(latencies))))])
	}
	return result{o.op, o.conns, o.clients, operations, took.Seconds(), float64(operations) / took.Seconds(),
		at(0.5), at(0.99), at(1), float64(cpu.Microseconds()) / float64(max(1, operations)), 0}
}

func main() {
	var o options
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "host:port, or several with commas between them")
	flag.StringVar(&o.op, "op", "put", "put, get, get-serializable, txn, watch, range, keepalive, fill, grant, gap")
	flag.IntVar(&o.conns, "conns", 1, "connections")
	flag.IntVar(&o.clients, "clients", 1, "clients, spread over the connections")
	flag.Float64Var(&o.seconds, "seconds", 3, "length of the measurement")
	flag.IntVar(&o.valueLen, "value-len", 256, "bytes of a value")
	flag.IntVar(&o.keys, "keys", 1_000_000, "keys written by fill, leases granted by grant, distinct keys of put")
	flag.Int64Var(&o.ttl, "ttl", 600, "time to live of granted leases, in seconds")
	flag.BoolVar(&o.attach, "attach", false, "grant also writes one key for each lease")
	flag.DurationVar(&o.pace, "pace", 0, "pause of a client between two calls")
	pid := flag.String("pid", "", "process ids of the servers, for their processor time")
	flag.Parse()
	o.endpoint = strings.Split(*endpoint, ",")
	for _, text := range strings.FieldsFunc(*pid, func(r rune) bool { return r == ',' }) {
		id, err := strconv.Atoi(text)
		must(err)
		o.pid = append(o.pid, id)
	}
	conns := connect(o)
	r := run(o, conns)
	body, err := json.Marshal(r)
	must(err)
	fmt.Println(string(body))
}

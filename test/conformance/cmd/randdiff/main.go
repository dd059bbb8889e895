// Command randdiff sends the same random requests to two etcd servers and compares the answers.
//
//	randdiff --want host:port --got host:port --n 10000 --seed 1
//
// The same seed gives the same requests. Both servers must be new and empty. Writes go one by one, to
// both servers at the same time; the reads between two bursts of writes go side by side.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"quorate.dev/conformance/internal/raw"
)

const (
	settleEvery    = 400  // requests between two comparisons of watches and hashes
	compactEvery   = 2000 // requests between two compactions
	alarmWrites    = 10   // writes sent under an alarm before it is taken back
	readsAtOnce    = 48
	progressEvery  = 100_000
	keepAliveEvery = 50
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

type runner struct {
	clients     [2]*raw.Client
	g           *generator
	watches     *watchPair
	leases      [2]*raw.Stream
	sent        int
	differences int
	max         int
	seed        uint64
	raised      *pb.AlarmRequest
	underAlarm  int
}

func (r *runner) report(what, text string) {
	r.differences++
	fmt.Printf("DIFFERENCE %d (seed %d, request %d): %s\n%s\n", r.differences, r.seed, r.sent, what, text)
}

func (r *runner) ask(side int, c call) raw.Answer {
	if c.stream {
		return r.clients[side].ServerStream(c.method, c.request)
	}
	return r.clients[side].Unary(c.method, c.request)
}

func (r *runner) pair(c call) (want, got raw.Answer) {
	done := make(chan struct{})
	go func() {
		want = r.ask(0, c)
		close(done)
	}()
	got = r.ask(1, c)
	<-done
	return want, got
}

func (r *runner) check(c call, want, got raw.Answer) {
	r.sent++
	for i, a := range []raw.Answer{want, got} {
		if a.Code == codes.Unavailable || a.Code == codes.DeadlineExceeded {
			fmt.Printf("server %d is gone (seed %d, request %d): %s\n  request %s\n", i, r.seed, r.sent, a.Text, describeCall(c))
			os.Exit(1)
		}
	}
	if text := difference(c, want, got); text != "" {
		r.report(text, fmt.Sprintf("  request %s\n  want %s\n  got  %s", describeCall(c), describe(c, want), describe(c, got)))
	}
}

// write sends one write and notes the revision it led to.
func (r *runner) write(c call) {
	want, got := r.pair(c)
	r.check(c, want, got)
	if want.Code != codes.OK {
		return
	}
	m := c.response()
	must(proto.Unmarshal(want.Messages[0], m))
	if h, ok := m.(interface{ GetHeader() *pb.ResponseHeader }); ok && h.GetHeader() != nil {
		r.g.revision = max(r.g.revision, h.GetHeader().Revision)
	}
	if txn, ok := m.(*pb.TxnResponse); ok && deletes(txn) {
		r.g.recreated[r.g.revision] = true
	}
	switch m := c.message.(type) {
	case *pb.CompactionRequest:
		r.g.compacted = m.Revision
	case *pb.AlarmRequest:
		if m.Action == pb.AlarmRequest_ACTIVATE {
			r.raised, r.underAlarm = m, alarmWrites
		}
	}
}

func deletes(m *pb.TxnResponse) bool {
	for _, op := range m.Responses {
		if op.GetResponseDeleteRange().GetDeleted() > 0 || (op.GetResponseTxn() != nil && deletes(op.GetResponseTxn())) {
			return true
		}
	}
	return false
}

// clearAlarm takes back an alarm after some writes were refused because of it.
func (r *runner) clearAlarm() {
	if r.raised == nil {
		return
	}
	if r.underAlarm--; r.underAlarm > 0 {
		return
	}
	request := proto.Clone(r.raised).(*pb.AlarmRequest)
	request.Action = pb.AlarmRequest_DEACTIVATE
	r.raised = nil
	body, err := proto.Marshal(request)
	must(err)
	c := kind[pb.AlarmResponse](pb.Maintenance_Alarm_FullMethodName, request)
	c.request = body
	r.write(c)
}

func (r *runner) reads(n int) {
	calls := make([]call, n)
	want, got := make([]raw.Answer, n), make([]raw.Answer, n)
	var wait sync.WaitGroup
	for i := range calls {
		calls[i] = r.g.read()
		wait.Add(2)
		go func() { want[i] = r.ask(0, calls[i]); wait.Done() }()
		go func() { got[i] = r.ask(1, calls[i]); wait.Done() }()
	}
	wait.Wait()
	for i := range calls {
		r.check(calls[i], want[i], got[i])
	}
}

// keepAlive renews some lease on the long-lived stream of each side.
func (r *runner) keepAlive() {
	c := kind[pb.LeaseKeepAliveResponse](pb.Lease_LeaseKeepAlive_FullMethodName, &pb.LeaseKeepAliveRequest{ID: r.g.someLease()})
	body, err := proto.Marshal(c.message)
	must(err)
	c.request = body
	var answers [2]raw.Answer
	for side, stream := range r.leases {
		must(stream.Send(body))
		m, err := stream.Recv()
		if err != nil {
			answers[side] = raw.ErrorAnswer(err)
		} else {
			answers[side] = raw.Answer{Messages: [][]byte{m}}
		}
	}
	r.check(c, answers[0], answers[1])
}

func (r *runner) hash(revision int64) {
	c := kind[pb.HashKVResponse](pb.Maintenance_HashKV_FullMethodName, &pb.HashKVRequest{Revision: revision})
	body, err := proto.Marshal(c.message)
	must(err)
	c.request = body
	want, got := r.pair(c)
	r.check(c, want, got)
}

// settle compares what accumulates: watch events and the hash of all keys.
func (r *runner) settle() {
	if text := r.watches.settle(r.g); text != "" {
		r.report("watch", text)
		r.openWatches()
	}
	if text := r.watches.compacted(r.g, r.clients); text != "" {
		r.report("watch below the compacted revision", text)
	}
	r.hash(0)
	r.hash(r.g.compacted)
}

func (r *runner) openWatches() {
	if r.watches != nil {
		for _, side := range r.watches.sides {
			side.stream.Close()
		}
	}
	r.watches = openWatches(r.clients)
}

func (r *runner) run(n int) {
	started := time.Now()
	nextSettle, nextCompact, nextProgress, nextKeepAlive := 0, compactEvery, progressEvery, 0
	for r.sent < n && r.differences < r.max {
		for range 1 + r.g.r.IntN(12) {
			r.write(r.g.write())
			r.clearAlarm()
		}
		r.reads(1 + r.g.r.IntN(readsAtOnce))
		if r.sent >= nextKeepAlive {
			nextKeepAlive = r.sent + keepAliveEvery
			r.keepAlive()
		}
		if r.sent >= nextSettle {
			nextSettle = r.sent + settleEvery
			r.settle()
		}
		if r.sent >= nextCompact {
			nextCompact = r.sent + compactEvery
			r.settle() // events in flight before the history goes
			r.write(r.g.compaction())
		}
		if r.sent >= nextProgress {
			nextProgress = r.sent + progressEvery
			fmt.Printf("%d requests, revision %d, %.0f per second\n", r.sent, r.g.revision,
				float64(r.sent)/time.Since(started).Seconds())
		}
	}
	r.settle()
	fmt.Printf("seed %d: %d requests, revision %d, %.1f s, %d differences\n", r.seed, r.sent, r.g.revision,
		time.Since(started).Seconds(), r.differences)
}

func main() {
	want := flag.String("want", "", "host:port of the reference server")
	got := flag.String("got", "", "host:port of the server under test")
	n := flag.Int("n", 10_000, "requests to send")
	seed := flag.Uint64("seed", 1, "seed of the request stream")
	maximum := flag.Int("max-differences", 10, "stop after this many differences")
	alarms := flag.Bool("alarms", true, "raise and clear alarms")
	flag.Parse()
	r := &runner{max: *maximum, seed: *seed, g: &generator{
		r: rand.New(rand.NewPCG(*seed, 1)), revision: 1, recreated: map[int64]bool{}, alarms: *alarms}}
	for i, endpoint := range []string{*want, *got} {
		client, err := raw.Dial(endpoint)
		must(err)
		must(client.Ready())
		r.clients[i] = client
		stream, err := client.Bidi(pb.Lease_LeaseKeepAlive_FullMethodName)
		must(err)
		r.leases[i] = stream
	}
	r.openWatches()
	r.run(*n)
	if r.differences > 0 {
		os.Exit(1)
	}
}

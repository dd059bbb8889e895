package main

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"quorate.dev/conformance/internal/raw"
)

const (
	watcherCount   = 10
	watchTimeout   = 15 * time.Second
	progressRetry  = 20 * time.Millisecond
	receivedBuffer = 4096
)

// watchSide is one server's half of the watch comparison: one stream, many watchers.
type watchSide struct {
	name     string
	stream   *raw.Stream
	received chan *pb.WatchResponse
	failed   chan error
	control  []string           // created and canceled answers, normalised, in order
	events   map[int64][]string // watch id to its events so far, each marshalled
	lastRev  map[int64]int64    // newest revision of the last whole response
	problem  string
}

func openWatch(name string, client *raw.Client) *watchSide {
	stream, err := client.Bidi(pb.Watch_Watch_FullMethodName)
	must(err)
	w := &watchSide{name: name, stream: stream, received: make(chan *pb.WatchResponse, receivedBuffer),
		failed: make(chan error, 1), events: map[int64][]string{}, lastRev: map[int64]int64{}}
	go w.receive()
	return w
}

func (w *watchSide) receive() {
	for {
		body, err := w.stream.Recv()
		if err != nil {
			w.failed <- err
			return
		}
		m := &pb.WatchResponse{}
		if err := proto.Unmarshal(body, m); err != nil {
			w.failed <- err
			return
		}
		if !canonical(m, body) {
			w.failed <- fmt.Errorf("watch response is not canonical: %x", body)
			return
		}
		w.received <- m
	}
}

func (w *watchSide) send(request *pb.WatchRequest) {
	body, err := proto.Marshal(request)
	must(err)
	if err := w.stream.Send(body); err != nil {
		w.problem = fmt.Sprintf("send: %v", err)
	}
}

// take notes one response.
func (w *watchSide) take(m *pb.WatchResponse) {
	normaliseHeader(m.Header)
	if m.Created || m.Canceled {
		w.control = append(w.control, prototext.MarshalOptions{}.Format(m))
		if m.Created {
			w.lastRev[m.WatchId] = 0
		}
		return
	}
	last := w.lastRev[m.WatchId]
	for i, event := range m.Events {
		body, err := proto.Marshal(event)
		must(err)
		w.events[m.WatchId] = append(w.events[m.WatchId], string(body))
		revision := event.Kv.ModRevision
		if revision < last || (i == 0 && revision == last) {
			w.problem = fmt.Sprintf("watch %d: revision %d after %d", m.WatchId, revision, last)
		}
		if revision > m.Header.Revision {
			w.problem = fmt.Sprintf("watch %d: event of revision %d under header %d", m.WatchId, revision, m.Header.Revision)
		}
		last = revision
	}
	if m.Fragment {
		last-- // the rest of this revision may follow
	}
	w.lastRev[m.WatchId] = last
}

// until takes responses until one satisfies done; false when none came in time.
func (w *watchSide) until(waiting string, done func(*pb.WatchResponse) bool, every func()) bool {
	deadline := time.After(watchTimeout)
	retry := time.NewTicker(progressRetry)
	defer retry.Stop()
	for {
		select {
		case m := <-w.received:
			found := done(m)
			if m.WatchId != -1 || m.Created {
				w.take(m)
			}
			if found {
				return true
			}
		case err := <-w.failed:
			w.problem = fmt.Sprintf("stream ended: %v", err)
			return false
		case <-deadline:
			w.problem = "no answer in time: " + waiting
			return false
		case <-retry.C:
			every()
		}
	}
}

// barrier waits until everything up to the revision was delivered.
func (w *watchSide) barrier(revision int64) {
	ask := func() {
		w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
	}
	ask()
	w.until("progress", func(m *pb.WatchResponse) bool {
		return m.WatchId == -1 && !m.Created && m.Header.Revision >= revision
	}, ask)
}

func (w *watchSide) reset() {
	w.control, w.events = nil, map[int64][]string{}
}

// watchPair keeps the same watchers on both servers.
type watchPair struct {
	sides [2]*watchSide
	ids   []int64
	next  int64
}

func openWatches(clients [2]*raw.Client) *watchPair {
	return &watchPair{sides: [2]*watchSide{openWatch("want", clients[0]), openWatch("got", clients[1])}, next: 1}
}

func (p *watchPair) both(act func(w *watchSide)) {
	done := make(chan struct{})
	go func() {
		act(p.sides[0])
		close(done)
	}()
	act(p.sides[1])
	<-done
}

// create starts one random watcher, or fails to in the same way on both sides.
func (p *watchPair) create(g *generator) {
	key, end := g.interval()
	request := &pb.WatchCreateRequest{Key: key, RangeEnd: end, PrevKv: g.percent(50), Fragment: g.percent(30),
		ProgressNotify: g.percent(20), WatchId: p.next}
	switch n := g.r.IntN(100); {
	case n < 50:
		request.StartRevision = g.pastRevision()
	case n < 53:
		request.StartRevision = -1 - g.r.Int64N(5)
	}
	for g.percent(15) {
		request.Filters = append(request.Filters, pb.WatchCreateRequest_FilterType(g.enum(2)))
	}
	if len(p.ids) > 0 && g.percent(5) {
		request.WatchId = p.ids[0]
	}
	p.next++
	p.both(func(w *watchSide) {
		w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}})
		w.until("created", func(m *pb.WatchResponse) bool { return m.Created }, func() {})
	})
	p.ids = append(p.ids, request.WatchId)
}

// compacted starts a watch below the compacted revision. It gets a stream of its own, because Go etcd
// answers no progress request on a stream after such a cancel.
func (p *watchPair) compacted(g *generator, clients [2]*raw.Client) string {
	if g.compacted < 3 {
		return ""
	}
	one := openWatches(clients)
	request := &pb.WatchCreateRequest{Key: []byte("k/"), RangeEnd: []byte{0}, StartRevision: 1 + g.r.Int64N(g.compacted-1)}
	one.both(func(w *watchSide) {
		w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}})
		w.until("canceled", func(m *pb.WatchResponse) bool { return m.Canceled }, func() {})
		w.stream.Close()
	})
	return one.difference()
}

func (p *watchPair) cancel(g *generator) {
	i := g.r.IntN(len(p.ids))
	request := &pb.WatchCancelRequest{WatchId: p.ids[i]}
	p.ids = append(p.ids[:i], p.ids[i+1:]...)
	p.both(func(w *watchSide) {
		w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: request}})
	})
}

// settle lets both sides deliver everything, compares, and changes some watchers.
func (p *watchPair) settle(g *generator) string {
	if p.next == 1 {
		// Always there, so that a progress answer always comes.
		all := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true, WatchId: 1_000_000}
		p.both(func(w *watchSide) {
			w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: all}})
			w.until("created", func(m *pb.WatchResponse) bool { return m.Created }, func() {})
		})
	}
	p.both(func(w *watchSide) { w.barrier(g.revision) })
	if text := p.difference(); text != "" {
		return text
	}
	p.both((*watchSide).reset)
	for len(p.ids) > watcherCount/2 {
		p.cancel(g)
	}
	for len(p.ids) < watcherCount {
		p.create(g)
	}
	p.both(func(w *watchSide) { w.barrier(g.revision) })
	text := p.difference()
	p.both((*watchSide).reset)
	return text
}

func (p *watchPair) difference() string {
	want, got := p.sides[0], p.sides[1]
	for _, side := range p.sides {
		if side.problem != "" {
			return side.name + ": " + side.problem
		}
	}
	if len(want.control) != len(got.control) {
		return fmt.Sprintf("control answers\n  want %q\n  got  %q", want.control, got.control)
	}
	for i := range want.control {
		if want.control[i] != got.control[i] {
			return fmt.Sprintf("control answer\n  want %s\n  got  %s", want.control[i], got.control[i])
		}
	}
	for id := range want.events {
		if text := eventDifference(want.events[id], got.events[id]); text != "" {
			return fmt.Sprintf("watch %d: %s", id, text)
		}
	}
	if len(want.events) != len(got.events) {
		return fmt.Sprintf("number of watches with events: want %d got %d", len(want.events), len(got.events))
	}
	return ""
}

// eventDifference names the first event that differs.
func eventDifference(want, got []string) string {
	at := func(events []string, i int) string {
		if i >= len(events) {
			return "(no event)"
		}
		event := &mvccpb.Event{}
		must(proto.Unmarshal([]byte(events[i]), event))
		return shorten(prototext.MarshalOptions{}.Format(event))
	}
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			return fmt.Sprintf("event %d of %d and %d\n  want %s\n  got  %s", i, len(want), len(got), at(want, i), at(got, i))
		}
	}
	return ""
}

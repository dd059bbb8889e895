package main

import (
	"context"
	"fmt"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const quietTime = 300 * time.Millisecond

// watcher is one watch stream whose answers are printed in order.
type watcher struct {
	s        *scenarios
	stream   pb.Watch_WatchClient
	received chan *pb.WatchResponse
	ended    chan error
	cancel   context.CancelFunc
}

func (s *scenarios) openWatch() *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := s.watch.Watch(ctx)
	must(err)
	w := &watcher{s, stream, make(chan *pb.WatchResponse, 1000), make(chan error, 1), cancel}
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				w.ended <- err
				return
			}
			w.received <- m
		}
	}()
	return w
}

func (w *watcher) create(r *pb.WatchCreateRequest) {
	must(w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}))
}

func (w *watcher) cancelWatch(id int64) {
	must(w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: id}}}))
}

func (w *watcher) progress() {
	must(w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{
		ProgressRequest: &pb.WatchProgressRequest{}}}))
}

func (w *watcher) next() *pb.WatchResponse {
	select {
	case m := <-w.received:
		return m
	case err := <-w.ended:
		w.s.note("stream", "ended: %s", errorText(err))
	case <-time.After(callTimeout):
		w.s.note("stream", "no answer in time")
	}
	return nil
}

// expect prints the next answer.
func (w *watcher) expect(step string) {
	if m := w.next(); m != nil {
		w.s.show(step, m, nil)
	}
}

// events prints events until n were seen; how they are spread over answers is not compared.
func (w *watcher) events(step string, n int) {
	for n > 0 {
		m := w.next()
		if m == nil {
			return
		}
		if len(m.Events) == 0 {
			w.s.show(step+" (no event)", m, nil)
			return
		}
		for _, event := range m.Events {
			w.s.note(step, "watch %d %s", m.WatchId, toJSON(event))
		}
		n -= len(m.Events)
	}
}

func (w *watcher) quiet(step string) {
	select {
	case m := <-w.received:
		w.s.show(step+" (unexpected)", m, nil)
	case err := <-w.ended:
		w.s.note(step, "ended: %s", errorText(err))
	case <-time.After(quietTime):
		w.s.note(step, "quiet")
	}
}

func watches(s *scenarios) {
	first := s.base + 1
	s.put("seed", &pb.PutRequest{Key: []byte("w/a"), Value: []byte("1")})
	s.put("seed", &pb.PutRequest{Key: []byte("w/a"), Value: []byte("2")})
	s.txn("seed", &pb.TxnRequest{Success: ops(opPut("w/b", "1"), opPut("w/c", "1"), opDel("w/a", ""))})
	w := s.openWatch()
	defer w.cancel()
	w.create(&pb.WatchCreateRequest{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: first, PrevKv: true})
	w.expect("created")
	w.events("history", 5)
	w.create(&pb.WatchCreateRequest{Key: []byte("w/b")})
	w.expect("created second")
	s.put("live", &pb.PutRequest{Key: []byte("w/d"), Value: []byte("1")})
	w.events("live", 1)
	w.create(&pb.WatchCreateRequest{Key: []byte("w/"), RangeEnd: []byte("w0"), WatchId: 40,
		Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}})
	w.expect("created with id")
	w.cancelWatch(0)
	w.expect("canceled first")
	s.del("live", &pb.DeleteRangeRequest{Key: []byte("w/d")})
	w.events("no put", 1)
	s.put("filtered", &pb.PutRequest{Key: []byte("w/e")})
	w.quiet("filtered")
	w.cancelWatch(40)
	w.expect("canceled with id")
	w.create(&pb.WatchCreateRequest{Key: []byte("w/"), RangeEnd: []byte("w0"), PrevKv: true,
		Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}})
	w.expect("created no delete")
	s.del("filtered", &pb.DeleteRangeRequest{Key: []byte("w/e")})
	w.quiet("filtered")
	s.put("live", &pb.PutRequest{Key: []byte("w/e")})
	w.events("no delete", 1)
	w.create(&pb.WatchCreateRequest{Key: []byte("w/e"), WatchId: -4})
	w.expect("created with negative id")
	w.create(&pb.WatchCreateRequest{Key: []byte("w/f"), StartRevision: s.base + 10})
	w.expect("created in the future")
	s.put("before", &pb.PutRequest{Key: []byte("w/g")})
	w.events("others only", 1)
	w2 := s.openWatch()
	defer w2.cancel()
	w2.create(&pb.WatchCreateRequest{Key: nil})
	w2.expect("empty key")
	w2.create(&pb.WatchCreateRequest{Key: nil, RangeEnd: []byte{0}, StartRevision: first})
	w2.expect("everything")
	w2.events("everything", 10)
	must(w2.stream.CloseSend())
	s.put("after half-close", &pb.PutRequest{Key: []byte("w/h")})
	w2.events("after half-close", 1)
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("w/"), RangeEnd: []byte("w0")})
}

func watchErrors(s *scenarios) {
	w := s.openWatch()
	defer w.cancel()
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), RangeEnd: []byte("we/")})
	w.expect("end equals key")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/b"), RangeEnd: []byte("we/a")})
	w.expect("end before key")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), StartRevision: -1})
	w.expect("negative revision")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), StartRevision: math.MinInt64})
	w.expect("smallest revision")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), WatchId: 7})
	w.expect("first with id")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), WatchId: 7})
	w.expect("duplicate id")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), StartRevision: math.MaxInt64})
	w.expect("far future")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), Filters: []pb.WatchCreateRequest_FilterType{9, -1, 1, 1}})
	w.expect("unknown filter")
	w.cancelWatch(1234)
	w.quiet("cancel of an unknown id")
	must(w.stream.Send(&pb.WatchRequest{}))
	w.quiet("empty request")
	w.cancelWatch(7)
	w.expect("cancel")
	w.cancelWatch(7)
	w.quiet("cancel again")
	w.create(&pb.WatchCreateRequest{Key: []byte("we/"), WatchId: 7})
	w.expect("id used again")
	must(w.stream.CloseSend())
	w.quiet("half-close")
}

func watchProgress(s *scenarios) {
	w := s.openWatch()
	defer w.cancel()
	w.progress()
	w.quiet("no watcher")
	w.create(&pb.WatchCreateRequest{Key: []byte("p/")})
	w.expect("created")
	w.progress()
	w.expect("synced")
	s.put("other key", &pb.PutRequest{Key: []byte("q/")})
	w.progress()
	w.expect("newer revision")
	w.create(&pb.WatchCreateRequest{Key: []byte("p/"), StartRevision: s.base + 100})
	w.expect("created in the future")
	w.progress()
	w.quiet("with a future watcher")
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("q/")})
}

func watchFragment(s *scenarios) {
	t := &pb.TxnRequest{}
	for i := range 5 {
		key := fmt.Sprintf("f/%d", i)
		_, err := s.kv.Put(call(), &pb.PutRequest{Key: []byte(key), Value: make([]byte, 900_000)})
		must(err)
		t.Success = append(t.Success, opDel(key, ""))
	}
	s.show("five deletes of large values", func() *pb.TxnResponse {
		m, err := s.kv.Txn(call(), t)
		must(err)
		m.Responses = nil
		return m
	}(), nil)
	for _, fragment := range []bool{true, false} {
		w := s.openWatch()
		w.create(&pb.WatchCreateRequest{Key: []byte("f/"), RangeEnd: []byte("f0"), StartRevision: s.base + 6,
			PrevKv: true, Fragment: fragment})
		w.expect("created")
		for seen := 0; seen < 5; {
			m := w.next()
			if m == nil {
				break
			}
			seen += len(m.Events)
			s.note("part", "fragment %v: %d events, more %v, bytes of previous values %v", fragment, len(m.Events), m.Fragment,
				m.Events[0].PrevKv != nil)
		}
		w.cancel()
	}
}

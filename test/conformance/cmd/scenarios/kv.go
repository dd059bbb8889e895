package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func (s *scenarios) put(step string, r *pb.PutRequest) {
	m, err := s.kv.Put(call(), r)
	s.show(step, m, err)
}

func (s *scenarios) get(step string, r *pb.RangeRequest) {
	m, err := s.kv.Range(call(), r)
	s.show(step, m, err)
}

func (s *scenarios) del(step string, r *pb.DeleteRangeRequest) {
	m, err := s.kv.DeleteRange(call(), r)
	s.show(step, m, err)
}

func (s *scenarios) txn(step string, r *pb.TxnRequest) {
	m, err := s.kv.Txn(call(), r)
	s.show(step, m, err)
}

func puts(s *scenarios) {
	key, value := []byte("put/a"), []byte("1")
	s.put("first", &pb.PutRequest{Key: key, Value: value, PrevKv: true})
	s.put("same value again", &pb.PutRequest{Key: key, Value: value, PrevKv: true})
	s.put("without value", &pb.PutRequest{Key: key})
	s.put("empty key", &pb.PutRequest{Value: value})
	s.put("ignore_value", &pb.PutRequest{Key: key, IgnoreValue: true, PrevKv: true})
	s.put("ignore_value with value", &pb.PutRequest{Key: key, Value: value, IgnoreValue: true})
	s.put("ignore_value missing", &pb.PutRequest{Key: []byte("put/none"), IgnoreValue: true})
	s.put("ignore_lease", &pb.PutRequest{Key: key, Value: value, IgnoreLease: true})
	s.put("ignore_lease with lease", &pb.PutRequest{Key: key, Lease: 9, IgnoreLease: true})
	s.put("ignore_lease missing", &pb.PutRequest{Key: []byte("put/none"), Value: value, IgnoreLease: true})
	s.put("missing lease", &pb.PutRequest{Key: key, Lease: 987654})
	s.put("negative lease", &pb.PutRequest{Key: key, Lease: math.MinInt64})
	s.put("missing lease and key", &pb.PutRequest{Key: []byte("put/none"), IgnoreValue: true, Lease: 987654})
	s.put("binary key", &pb.PutRequest{Key: []byte{0, 0xff, 0xfe, 0}, Value: []byte{0xff, 0}})
	s.put("zero key", &pb.PutRequest{Key: []byte{0}, Value: value})
	s.put("long key", &pb.PutRequest{Key: make([]byte, 100_000), Value: value})
	s.put("large value", &pb.PutRequest{Key: key, Value: make([]byte, 1_500_000)})
	s.put("too large", &pb.PutRequest{Key: key, Value: make([]byte, 1_573_000)})
	s.put("above the message limit", &pb.PutRequest{Key: key, Value: make([]byte, 2_200_000)})
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
}

func deletes(s *scenarios) {
	for i := range 5 {
		s.put("seed", &pb.PutRequest{Key: fmt.Appendf(nil, "d/%d", i), Value: []byte("v")})
	}
	s.del("nothing", &pb.DeleteRangeRequest{Key: []byte("d/none")})
	s.del("one", &pb.DeleteRangeRequest{Key: []byte("d/0"), PrevKv: true})
	s.del("one again", &pb.DeleteRangeRequest{Key: []byte("d/0"), PrevKv: true})
	s.del("end before key", &pb.DeleteRangeRequest{Key: []byte("d/3"), RangeEnd: []byte("d/1")})
	s.del("end equals key", &pb.DeleteRangeRequest{Key: []byte("d/3"), RangeEnd: []byte("d/3")})
	s.del("interval", &pb.DeleteRangeRequest{Key: []byte("d/1"), RangeEnd: []byte("d/3"), PrevKv: true})
	s.del("empty key", &pb.DeleteRangeRequest{})
	s.del("empty key with end", &pb.DeleteRangeRequest{RangeEnd: []byte{0}})
	s.del("from key", &pb.DeleteRangeRequest{Key: []byte("d/3"), RangeEnd: []byte{0}})
	s.put("put after delete", &pb.PutRequest{Key: []byte("d/0"), PrevKv: true})
	s.get("version starts again", &pb.RangeRequest{Key: []byte("d/0")})
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("d/0")})
}

func ranges(s *scenarios) {
	first := s.base + 1
	for _, key := range []string{"r/b", "r/a", "r/c", "r/a", "r/d", "r/a", "r/c"} {
		s.put("seed", &pb.PutRequest{Key: []byte(key), Value: []byte("v" + key)})
	}
	s.del("seed", &pb.DeleteRangeRequest{Key: []byte("r/d")})
	all := func() *pb.RangeRequest { return &pb.RangeRequest{Key: []byte("r/"), RangeEnd: []byte("r0")} }
	s.get("prefix", all())
	s.get("one", &pb.RangeRequest{Key: []byte("r/a")})
	s.get("missing", &pb.RangeRequest{Key: []byte("r/none")})
	s.get("from key", &pb.RangeRequest{Key: []byte("r/b"), RangeEnd: []byte{0}})
	s.get("everything", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	s.get("end before key", &pb.RangeRequest{Key: []byte("r/b"), RangeEnd: []byte("r/a")})
	for _, limit := range []int64{1, 2, 3, 4, -1, math.MinInt64, math.MaxInt64} {
		r := all()
		r.Limit = limit
		s.get(fmt.Sprintf("limit %d", limit), r)
	}
	for revision := first; revision < first+9; revision++ {
		r := all()
		r.Revision = revision
		s.get(fmt.Sprintf("revision +%d", revision-first), r)
	}
	for order := range pb.RangeRequest_SortOrder(3) {
		for target := range pb.RangeRequest_SortTarget(5) {
			r := all()
			r.SortOrder, r.SortTarget, r.Limit = order, target, 2
			s.get(fmt.Sprintf("sort %v %v", order, target), r)
			r.KeysOnly = true
			s.get(fmt.Sprintf("sort %v %v keys only", order, target), r)
		}
	}
	for i := range 4 {
		for _, revision := range []int64{first, first + 2, first + 5, -1, math.MaxInt64} {
			r := all()
			*[]*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision}[i] = revision
			s.get(fmt.Sprintf("filter %d revision %d", i, revision-first), r)
			r.Limit = 1
			s.get(fmt.Sprintf("filter %d revision %d limit", i, revision-first), r)
			r.CountOnly = true
			s.get(fmt.Sprintf("filter %d revision %d count", i, revision-first), r)
		}
	}
	r := all()
	r.CountOnly, r.Limit = true, 1
	s.get("count only", r)
	r = all()
	r.KeysOnly, r.Serializable = true, true
	s.get("keys only serializable", r)
	r.CountOnly = true
	s.get("keys only and count only", r)
}

func rangeErrors(s *scenarios) {
	s.get("empty key", &pb.RangeRequest{})
	s.get("empty key with end", &pb.RangeRequest{RangeEnd: []byte("z")})
	s.get("bad order", &pb.RangeRequest{Key: []byte("a"), SortOrder: 3})
	s.get("negative order", &pb.RangeRequest{Key: []byte("a"), SortOrder: -1})
	s.get("bad target", &pb.RangeRequest{Key: []byte("a"), SortTarget: 5})
	s.get("empty key and bad order", &pb.RangeRequest{SortOrder: 9})
	s.get("future", &pb.RangeRequest{Key: []byte("a"), Revision: s.base + 1})
	s.get("far future", &pb.RangeRequest{Key: []byte("a"), Revision: math.MaxInt64})
	s.get("negative revision", &pb.RangeRequest{Key: []byte("a"), Revision: -7})
	s.get("future count", &pb.RangeRequest{Key: []byte("a"), Revision: s.base + 1, CountOnly: true, Serializable: true})
}

func (s *scenarios) stream(step string, r *pb.RangeRequest) {
	stream, err := s.kv.RangeStream(call(), r)
	if err != nil {
		s.show(step, nil, err)
		return
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			s.note(step, "end")
			return
		}
		if err != nil {
			s.show(step, nil, err)
			return
		}
		header := m.GetRangeResponse().GetHeader()
		if header != nil {
			header.RaftTerm = 1
		}
		s.show(step, m, nil)
	}
}

func rangeStreams(s *scenarios) {
	all := func() *pb.RangeRequest { return &pb.RangeRequest{Key: []byte("s/"), RangeEnd: []byte("s0")} }
	s.stream("nothing", all())
	for i := range 57 {
		_, err := s.kv.Put(call(), &pb.PutRequest{Key: fmt.Appendf(nil, "s/%02d", i), Value: []byte("v")})
		must(err)
	}
	s.stream("all", all())
	r := all()
	r.Limit = 13
	s.stream("limit", r)
	r = all()
	r.CountOnly = true
	s.stream("count", r)
	r = all()
	r.KeysOnly = true
	s.stream("keys", r)
	r = all()
	r.Revision = s.base + 21
	s.stream("history", r)
	r = all()
	r.SortOrder = pb.RangeRequest_ASCEND
	s.stream("ascending", r)
	r.SortOrder = pb.RangeRequest_DESCEND
	s.stream("descending", r)
	r = all()
	r.MinModRevision = 1
	s.stream("filter", r)
	r = all()
	r.Revision = math.MaxInt64
	s.stream("future", r)
	s.stream("empty key", &pb.RangeRequest{})
	s.stream("bad order", &pb.RangeRequest{Key: []byte("a"), SortOrder: 9})
	for i := range 12 {
		_, err := s.kv.Put(call(), &pb.PutRequest{Key: fmt.Appendf(nil, "s/%02d", i), Value: make([]byte, 300_000)})
		must(err)
	}
	stream, err := s.kv.RangeStream(call(), all())
	must(err)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		s.note("large", "chunk of %d keys", len(m.RangeResponse.Kvs))
	}
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("s/"), RangeEnd: []byte("s0")})
}

package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

const (
	poolKeys      = 200
	leaseCount    = 24
	leaseTTL      = 100_000 // seconds; no lease of a run expires in it
	maxTxnDepth   = 3
	mutatePercent = 6
)

// call is one request of the stream.
type call struct {
	method   string
	request  []byte
	stream   bool // a server stream, not unary
	message  proto.Message
	response func() proto.Message
}

// generator makes the request stream; it depends on the seed and the revisions answered so far only.
type generator struct {
	r         *rand.Rand
	revision  int64
	compacted int64
	alarms    bool
	// recreated holds revisions whose transaction deleted keys: see compaction.
	recreated map[int64]bool
}

func (g *generator) percent(n int) bool { return g.r.IntN(100) < n }

func pick[T any](g *generator, options ...T) T { return options[g.r.IntN(len(options))] }

func (g *generator) key() []byte {
	switch n := g.r.IntN(1000); {
	case n < 800:
		return []byte(fmt.Sprintf("k/%03d", g.r.IntN(poolKeys)))
	case n < 930:
		return []byte(pick(g, "a", "b", "ab", "abc", "a/", "a/1", "a\x00", "\x00", "\xff", "\xff\xff", "\x00\x00", "z"))
	case n < 960:
		return nil
	case n < 995:
		return g.bytes(1 + g.r.IntN(20))
	default:
		return g.bytes(1000 + g.r.IntN(9000))
	}
}

func (g *generator) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(g.r.IntN(256))
	}
	return out
}

func prefixEnd(key []byte) []byte {
	end := append([]byte(nil), key...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0}
}

func (g *generator) interval() (key, end []byte) {
	key = g.key()
	switch n := g.r.IntN(100); {
	case n < 40:
		return key, nil
	case n < 55:
		return key, prefixEnd(key)
	case n < 70:
		return []byte("k/"), []byte("k0")
	case n < 85:
		return key, g.key()
	case n < 92:
		return key, []byte{0}
	case n < 96:
		return key, key
	default:
		return []byte{0}, []byte{0}
	}
}

func (g *generator) edge() int64 {
	return pick(g, int64(0), 1, -1, 2, math.MaxInt64, math.MinInt64, math.MaxInt64-1, math.MaxInt32,
		math.MaxUint32, 1<<53, 1<<53+1, -(1 << 53), math.MinInt64+1)
}

func (g *generator) someRevision() int64 {
	switch n := g.r.IntN(100); {
	case n < 50:
		return 0
	case n < 80:
		return g.pastRevision()
	case n < 85:
		return g.compacted
	case n < 88:
		return max(1, g.compacted-1)
	case n < 91:
		return g.revision
	case n < 94:
		return g.revision + 1
	case n < 97:
		return g.r.Int64N(g.revision + 10)
	default:
		return g.edge()
	}
}

func (g *generator) pastRevision() int64 {
	low := max(1, g.compacted)
	return low + g.r.Int64N(max(1, g.revision-low+1))
}

func (g *generator) lease() int64 { return 0x1000 + int64(g.r.IntN(leaseCount)) }

func (g *generator) someLease() int64 {
	switch n := g.r.IntN(100); {
	case n < 80:
		return g.lease()
	case n < 90:
		return -5
	default:
		return g.edge()
	}
}

func (g *generator) enum(valid int) int32 {
	if g.percent(2) {
		return pick(g, int32(-1), 3, 5, 7, 100, math.MaxInt32, math.MinInt32)
	}
	return int32(g.r.IntN(valid))
}

func (g *generator) rangeRequest() *pb.RangeRequest {
	key, end := g.interval()
	r := &pb.RangeRequest{Key: key, RangeEnd: end, Revision: g.someRevision()}
	switch n := g.r.IntN(100); {
	case n < 30:
		r.Limit = int64(1 + g.r.IntN(20))
	case n < 36:
		r.Limit = g.edge()
	}
	if g.percent(25) {
		r.SortOrder = pb.RangeRequest_SortOrder(g.enum(3))
		r.SortTarget = pb.RangeRequest_SortTarget(g.enum(5))
	}
	r.Serializable = g.percent(30)
	r.KeysOnly = g.percent(12)
	r.CountOnly = g.percent(12)
	for _, field := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if g.percent(5) {
			*field = g.someRevision()
		}
	}
	return r
}

func (g *generator) value() []byte {
	switch n := g.r.IntN(1000); {
	case n < 100:
		return nil
	case n < 950:
		return g.bytes(1 + g.r.IntN(64))
	case n < 998:
		return g.bytes(g.r.IntN(4096))
	default:
		return g.bytes(g.r.IntN(200_000))
	}
}

func (g *generator) putRequest() *pb.PutRequest {
	p := &pb.PutRequest{Key: g.key(), Value: g.value(), PrevKv: g.percent(25)}
	if g.percent(20) {
		p.Lease = g.someLease()
	}
	if g.percent(6) {
		p.IgnoreValue = true
		if !g.percent(20) {
			p.Value = nil
		}
	}
	if g.percent(6) {
		p.IgnoreLease = true
		if !g.percent(20) {
			p.Lease = 0
		}
	}
	return p
}

func (g *generator) deleteRequest() *pb.DeleteRangeRequest {
	d := &pb.DeleteRangeRequest{Key: g.key(), PrevKv: g.percent(40)}
	switch n := g.r.IntN(100); {
	case n < 10:
		d.Key, d.RangeEnd = g.interval()
	case n < 40:
		d.RangeEnd = append(append([]byte(nil), d.Key...), pick(g, "\x00", "0", "5")...)
	}
	return d
}

func (g *generator) compare() *pb.Compare {
	c := &pb.Compare{
		Key:    g.key(),
		Result: pb.Compare_CompareResult(g.enum(4)),
		Target: pb.Compare_CompareTarget(g.enum(5)),
	}
	if g.percent(20) {
		c.Key, c.RangeEnd = g.interval()
	}
	union := c.Target
	if g.percent(10) {
		union = pb.Compare_CompareTarget(g.r.IntN(6))
	}
	number := pick(g, int64(0), 1, 2, g.pastRevision(), g.revision, g.edge())
	switch union {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: number}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: number}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: number}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: g.value()}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: pick(g, 0, g.lease(), g.edge())}
	}
	return c
}

func (g *generator) requestOp(depth int) *pb.RequestOp {
	switch n := g.r.IntN(100); {
	case n < 45:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.putRequest()}}
	case n < 75:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeRequest()}}
	case n < 90:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRequest()}}
	case n < 99 && depth < maxTxnDepth:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txnRequest(depth + 1)}}
	case n == 99 && g.percent(20):
		return &pb.RequestOp{}
	default:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("k/001")}}}
	}
}

func (g *generator) txnRequest(depth int) *pb.TxnRequest {
	t := &pb.TxnRequest{}
	for range g.r.IntN(4) {
		t.Compare = append(t.Compare, g.compare())
	}
	for range g.r.IntN(4) {
		t.Success = append(t.Success, g.requestOp(depth))
	}
	for range g.r.IntN(4) {
		t.Failure = append(t.Failure, g.requestOp(depth))
	}
	if depth == 0 && g.r.IntN(400) == 0 {
		for i := range pick(g, 100, 128, 129) {
			put := &pb.PutRequest{Key: fmt.Appendf(nil, "t/%03d", i), Value: []byte("v")}
			t.Failure = append(t.Failure, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}})
		}
	}
	return t
}

func (g *generator) leaseGrant() *pb.LeaseGrantRequest {
	request := &pb.LeaseGrantRequest{ID: g.lease(), TTL: leaseTTL}
	switch n := g.r.IntN(100); {
	case n < 5:
		request.TTL = pick(g, int64(9_000_000_000), 9_000_000_001, math.MaxInt64)
	case n < 8:
		request.ID = -5
	}
	return request
}

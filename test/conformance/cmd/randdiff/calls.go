package main

import (
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	oversizedBytes = 1_600_000 // above max-request-bytes, below the message limit
	hugeBytes      = 2_200_000 // above the message limit
)

func kind[R any, PR interface {
	*R
	proto.Message
}](method string, request proto.Message) call {
	return call{method: method, message: request, response: func() proto.Message { return PR(new(R)) }}
}

// write makes a call that is sent alone, in order.
func (g *generator) write() call {
	var c call
	switch n := g.r.IntN(1000); {
	case n < 480:
		c = kind[pb.PutResponse](pb.KV_Put_FullMethodName, g.putRequest())
	case n < 600:
		c = kind[pb.DeleteRangeResponse](pb.KV_DeleteRange_FullMethodName, g.deleteRequest())
	case n < 900:
		c = kind[pb.TxnResponse](pb.KV_Txn_FullMethodName, g.txnRequest(0))
	case n < 950:
		c = kind[pb.LeaseGrantResponse](pb.Lease_LeaseGrant_FullMethodName, g.leaseGrant())
	case n < 970:
		c = kind[pb.LeaseRevokeResponse](pb.Lease_LeaseRevoke_FullMethodName, &pb.LeaseRevokeRequest{ID: g.someLease()})
	case n < 972:
		put := &pb.PutRequest{Key: []byte("big"), Value: make([]byte, pick(g, oversizedBytes, oversizedBytes, hugeBytes))}
		c = kind[pb.PutResponse](pb.KV_Put_FullMethodName, put)
	case n < 974 && g.alarms:
		// Taken back by the caller some writes later.
		c = kind[pb.AlarmResponse](pb.Maintenance_Alarm_FullMethodName, &pb.AlarmRequest{
			Action:   pb.AlarmRequest_ACTIVATE, // an unknown action stops Go etcd (docs/divergence.md)
			MemberID: uint64(g.r.IntN(3)), Alarm: pb.AlarmType(g.r.IntN(3))})
	default:
		c = kind[pb.PutResponse](pb.KV_Put_FullMethodName, &pb.PutRequest{Key: g.key(), Value: g.value()})
	}
	return g.encode(c)
}

// read makes a call whose answer does not depend on the reads sent beside it.
func (g *generator) read() call {
	var c call
	switch n := g.r.IntN(1000); {
	case n < 700:
		c = kind[pb.RangeResponse](pb.KV_Range_FullMethodName, g.rangeRequest())
	case n < 780:
		c = kind[pb.RangeStreamResponse](pb.KV_RangeStream_FullMethodName, g.rangeStreamRequest())
		c.stream = true
	case n < 840:
		c = kind[pb.TxnResponse](pb.KV_Txn_FullMethodName, g.readOnlyTxn())
	case n < 900:
		c = kind[pb.LeaseTimeToLiveResponse](pb.Lease_LeaseTimeToLive_FullMethodName,
			&pb.LeaseTimeToLiveRequest{ID: g.someLease(), Keys: g.percent(60)})
	case n < 920:
		c = kind[pb.LeaseLeasesResponse](pb.Lease_LeaseLeases_FullMethodName, &pb.LeaseLeasesRequest{})
	case n < 930:
		c = kind[pb.MemberListResponse](pb.Cluster_MemberList_FullMethodName, &pb.MemberListRequest{Linearizable: g.percent(50)})
	case n < 940:
		c = kind[pb.StatusResponse](pb.Maintenance_Status_FullMethodName, &pb.StatusRequest{})
	case n < 950:
		c = kind[pb.AlarmResponse](pb.Maintenance_Alarm_FullMethodName, &pb.AlarmRequest{
			MemberID: uint64(g.r.IntN(3)), Alarm: pb.AlarmType(g.r.IntN(3))})
	case n < 953:
		c = kind[pb.RangeResponse](pick(g, "/etcdserverpb.KV/Nothing", "/nothing.KV/Range", "/etcdserverpb.kv/Range"), g.rangeRequest())
	default:
		c = kind[pb.HashKVResponse](pb.Maintenance_HashKV_FullMethodName, &pb.HashKVRequest{Revision: g.hashRevision()})
	}
	return g.encode(c)
}

// hashRevision avoids the compacted revision, whose answer depends on whether the compaction ended,
// and those that compaction avoids: Go etcd hashes them as it would compact them.
func (g *generator) hashRevision() int64 {
	revision := g.someRevision()
	if revision == g.compacted || g.recreated[revision] {
		return 0
	}
	return revision
}

func (g *generator) rangeStreamRequest() *pb.RangeRequest {
	r := g.rangeRequest()
	if g.percent(80) {
		r.MinModRevision, r.MaxModRevision, r.MinCreateRevision, r.MaxCreateRevision = 0, 0, 0, 0
		r.SortOrder, r.SortTarget = 0, 0
	}
	if unsound(r) {
		r.SortTarget = pb.RangeRequest_KEY
	}
	return r
}

// unsound says whether Go etcd loses or repeats keys when it streams the answer (docs/divergence.md).
func unsound(r *pb.RangeRequest) bool {
	return r.SortOrder == pb.RangeRequest_NONE && r.SortTarget != pb.RangeRequest_KEY
}

func (g *generator) readOnlyTxn() *pb.TxnRequest {
	t := &pb.TxnRequest{}
	for range g.r.IntN(3) {
		t.Compare = append(t.Compare, g.compare())
	}
	for range 1 + g.r.IntN(3) {
		for _, side := range []*[]*pb.RequestOp{&t.Success, &t.Failure} {
			*side = append(*side, &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeRequest()}})
		}
	}
	return t
}

// compaction keeps clear of revisions whose transaction may have deleted and put the same key: Go etcd
// drops the new row there (docs/divergence.md).
func (g *generator) compaction() call {
	request := &pb.CompactionRequest{Revision: g.pastRevision(), Physical: true}
	if g.percent(20) {
		request.Revision = g.someRevision()
	}
	for g.recreated[request.Revision] {
		request.Revision = g.pastRevision()
	}
	clear(g.recreated)
	return g.encode(kind[pb.CompactionResponse](pb.KV_Compact_FullMethodName, request))
}

// encode marshals the message and now and then spoils the bytes.
func (g *generator) encode(c call) call {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.message)
	must(err)
	c.request = body
	if len(body) > 0 && len(body) < 10_000 && g.percent(mutatePercent) {
		c.request = mutate(g.r, body)
		decoded := c.message.ProtoReflect().New().Interface()
		if proto.Unmarshal(c.request, decoded) == nil {
			r, isRange := decoded.(*pb.RangeRequest)
			if !repeatable(decoded) || (c.stream && isRange && unsound(r)) {
				c.request = body
				return c
			}
			c.message = decoded
		}
	}
	return c
}

// repeatable says whether both servers must give the same answer: a lease without an id gets a
// random one, and one with a short time to live may end at any moment.
func repeatable(m proto.Message) bool {
	switch m := m.(type) {
	case *pb.LeaseGrantRequest:
		return m.ID != 0 && m.TTL >= leaseTTL
	case *pb.CompactionRequest:
		return m.Physical
	case *pb.HashKVRequest, *pb.AlarmRequest:
		return false
	default:
		return true
	}
}

func mutate(r *rand.Rand, body []byte) []byte {
	out := append([]byte(nil), body...)
	switch r.IntN(9) {
	case 0: // an unknown field at the end
		out = protowire.AppendTag(out, protowire.Number(500+r.IntN(500)), protowire.BytesType)
		return protowire.AppendBytes(out, []byte("unknown"))
	case 1: // an unknown field at the start
		head := protowire.AppendTag(nil, 777, protowire.VarintType)
		return append(protowire.AppendVarint(head, r.Uint64()), out...)
	case 2: // the whole message twice: proto merge
		return append(out, body...)
	case 3: // cut short
		return out[:r.IntN(len(out))]
	case 4: // a flipped byte
		out[r.IntN(len(out))] ^= byte(1 + r.IntN(255))
		return out
	case 5: // a longer varint than needed for the first tag
		if out[0] < 0x80 {
			return append([]byte{out[0] | 0x80, 0x00}, out[1:]...)
		}
		return out
	case 6: // a known field number with another wire type
		out = protowire.AppendTag(out, protowire.Number(1+r.IntN(5)), protowire.Fixed32Type)
		return protowire.AppendFixed32(out, r.Uint32())
	case 7: // a group
		out = protowire.AppendTag(out, 600, protowire.StartGroupType)
		return protowire.AppendTag(out, 600, protowire.EndGroupType)
	default: // a repeated scalar field, the last one wins
		out = protowire.AppendTag(out, protowire.Number(3+r.IntN(6)), protowire.VarintType)
		return protowire.AppendVarint(out, uint64(r.IntN(3)))
	}
}

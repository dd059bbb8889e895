package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"quorate.dev/conformance/internal/raw"
)

// difference returns "" when both answers are equal, byte for byte, after normalisation.
func difference(c call, want, got raw.Answer) string {
	if want.Code != got.Code || want.Text != got.Text || len(want.Messages) != len(got.Messages) {
		return "code, text or number of messages"
	}
	for i := range want.Messages {
		if bytes.Equal(want.Messages[i], got.Messages[i]) {
			continue
		}
		a, b := c.response(), c.response()
		if proto.Unmarshal(want.Messages[i], a) != nil || proto.Unmarshal(got.Messages[i], b) != nil {
			return "answer cannot be decoded"
		}
		if !canonical(b, got.Messages[i]) {
			return "encoding is not canonical"
		}
		normalise(c.message, a)
		normalise(c.message, b)
		if !proto.Equal(a, b) {
			return "answer"
		}
	}
	return ""
}

func canonical(m proto.Message, body []byte) bool {
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return err == nil && bytes.Equal(again, body)
}

func sign[T int64 | uint64 | uint32](n T) T {
	if n == 0 {
		return 0
	}
	return 1
}

func normaliseHeader(h *pb.ResponseHeader) {
	if h != nil {
		h.ClusterId, h.MemberId, h.RaftTerm = sign(h.ClusterId), sign(h.MemberId), sign(h.RaftTerm)
	}
}

// normalise blanks what two right servers may answer differently.
func normalise(request, m proto.Message) {
	if h, ok := m.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		normaliseHeader(h.GetHeader())
	}
	switch m := m.(type) {
	case *pb.RangeResponse:
		if r, ok := request.(*pb.RangeRequest); ok {
			normaliseTies(r, m)
		}
	case *pb.RangeStreamResponse:
		normaliseHeader(m.GetRangeResponse().GetHeader())
	case *pb.TxnResponse:
		if r, ok := request.(*pb.TxnRequest); ok {
			normaliseTxn(r, m)
		}
	case *pb.LeaseTimeToLiveResponse:
		if m.TTL > 0 {
			m.TTL = 1
		}
		slices.SortFunc(m.Keys, bytes.Compare)
	case *pb.LeaseLeasesResponse:
		slices.SortFunc(m.Leases, func(a, b *pb.LeaseStatus) int { return cmp(a.ID, b.ID) })
	case *pb.MemberListResponse:
		for _, member := range m.Members {
			member.ID, member.PeerURLs, member.ClientURLs, member.Name = 0, nil, nil, ""
		}
	case *pb.AlarmResponse:
		slices.SortFunc(m.Alarms, func(a, b *pb.AlarmMember) int {
			return 10*cmp(int64(a.MemberID), int64(b.MemberID)) + cmp(int64(a.Alarm), int64(b.Alarm))
		})
	case *pb.StatusResponse:
		normaliseStatus(m)
	}
}

func cmp(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func normaliseStatus(m *pb.StatusResponse) {
	m.DbSize, m.DbSizeInUse, m.Leader = sign(m.DbSize), sign(m.DbSizeInUse), sign(m.Leader)
	m.RaftIndex, m.RaftAppliedIndex = sign(m.RaftIndex), sign(m.RaftAppliedIndex)
	m.RaftTerm = sign(m.RaftTerm)
	for i, text := range m.Errors {
		m.Errors[i] = strings.Join(strings.Fields(text), " ")
	}
	slices.Sort(m.Errors)
}

func normaliseTxn(request *pb.TxnRequest, m *pb.TxnResponse) {
	ops := request.Failure
	if m.Succeeded {
		ops = request.Success
	}
	if len(ops) != len(m.Responses) {
		return
	}
	for i, op := range ops {
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			if answer := m.Responses[i].GetResponseRange(); answer != nil {
				normaliseTies(r.RequestRange, answer)
			}
		case *pb.RequestOp_RequestTxn:
			if answer := m.Responses[i].GetResponseTxn(); answer != nil {
				normaliseTxn(r.RequestTxn, answer)
			}
		}
	}
}

// normaliseTies orders keys with an equal sort value by key; the last group of a cut result keeps
// only its size, since which of its keys are shown is not defined.
func normaliseTies(request *pb.RangeRequest, m *pb.RangeResponse) {
	if request.GetSortTarget() == pb.RangeRequest_KEY {
		return
	}
	same := sameSortValue(request)
	for start := 0; start < len(m.Kvs); {
		end := start + 1
		for end < len(m.Kvs) && same(m.Kvs[start], m.Kvs[end]) {
			end++
		}
		group := m.Kvs[start:end]
		slices.SortFunc(group, func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) })
		if end == len(m.Kvs) && m.More && len(group) > 0 {
			for i := range group {
				group[i] = &mvccpb.KeyValue{}
			}
		}
		start = end
	}
}

func sameSortValue(request *pb.RangeRequest) func(a, b *mvccpb.KeyValue) bool {
	return func(a, b *mvccpb.KeyValue) bool {
		switch request.SortTarget {
		case pb.RangeRequest_VERSION:
			return a.Version == b.Version
		case pb.RangeRequest_CREATE:
			return a.CreateRevision == b.CreateRevision
		case pb.RangeRequest_MOD:
			return a.ModRevision == b.ModRevision
		default: // by value; with keys_only the values are gone and everything is one group
			return request.KeysOnly || bytes.Equal(a.Value, b.Value)
		}
	}
}

const shownBytes = 1500

func shorten(s string) string {
	if len(s) > shownBytes {
		return s[:shownBytes] + fmt.Sprintf("… (%d characters)", len(s))
	}
	return s
}

const shownValueBytes = 12

// abbreviate shortens values, so that what differs is not lost in them.
func abbreviate(m proto.Message) {
	var answer *pb.RangeResponse
	switch m := m.(type) {
	case *pb.RangeResponse:
		answer = m
	case *pb.RangeStreamResponse:
		answer = m.RangeResponse
	}
	for _, kv := range answer.GetKvs() {
		if len(kv.Value) > shownValueBytes {
			kv.Value = append(kv.Value[:shownValueBytes:shownValueBytes], '~')
		}
	}
}

// describe prints an answer for a human.
func describe(c call, a raw.Answer) string {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%v %q", a.Code, a.Text)
	for _, body := range a.Messages {
		m := c.response()
		if err := proto.Unmarshal(body, m); err != nil {
			fmt.Fprintf(out, " undecodable(%v)", err)
		} else {
			abbreviate(m)
			fmt.Fprintf(out, " {%s}", prototext.MarshalOptions{}.Format(m))
		}
	}
	return shorten(out.String())
}

func describeCall(c call) string {
	return shorten(fmt.Sprintf("%s {%s}", c.method, prototext.MarshalOptions{}.Format(c.message))) +
		"\n    bytes " + shorten(hex.EncodeToString(c.request))
}

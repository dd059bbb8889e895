package main

import (
	"fmt"
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func opPut(key, value string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
		RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte(value), PrevKv: true}}}
}

func opGet(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{
		RequestRange: &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}}}
}

func opGetAt(key string, revision int64) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{
		RequestRange: &pb.RangeRequest{Key: []byte(key), Revision: revision}}}
}

func opDel(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end), PrevKv: true}}}
}

func opTxn(t *pb.TxnRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: t}}
}

func ops(list ...*pb.RequestOp) []*pb.RequestOp { return list }

func falseCompare() []*pb.Compare {
	return []*pb.Compare{{Key: []byte("t/none"), Target: pb.Compare_VERSION, Result: pb.Compare_GREATER}}
}

func txns(s *scenarios) {
	s.txn("empty", &pb.TxnRequest{})
	s.txn("get before put", &pb.TxnRequest{Success: ops(opGet("t/", "t0"), opPut("t/a", "1"), opGet("t/", "t0"))})
	s.txn("failure side", &pb.TxnRequest{Compare: falseCompare(), Success: ops(opPut("t/x", "1")), Failure: ops(opPut("t/b", "1"))})
	s.txn("delete then put", &pb.TxnRequest{Success: ops(opDel("t/a", ""), opGet("t/a", ""), opDel("t/a", ""))})
	s.txn("delete of nothing", &pb.TxnRequest{Success: ops(opDel("t/none", ""))})
	s.txn("overlapping deletes", &pb.TxnRequest{Success: ops(opPut("t/z", "1"), opDel("t/a", "t/c"), opDel("t/b", "t/d"))})
	s.txn("put at the end of a delete", &pb.TxnRequest{Success: ops(opDel("t/a", "t/c"), opPut("t/c", "1"))})
	s.txn("read only", &pb.TxnRequest{Success: ops(opGet("t/", "t0"), opGetAt("t/b", s.base+2))})
	s.txn("nested", &pb.TxnRequest{Success: ops(opPut("t/n", "1"),
		opTxn(&pb.TxnRequest{
			Compare: []*pb.Compare{{Key: []byte("t/n"), Target: pb.Compare_VERSION, Result: pb.Compare_EQUAL,
				TargetUnion: &pb.Compare_Version{Version: 1}}},
			Success: ops(opGet("t/n", ""), opPut("t/in", "yes")), Failure: ops(opPut("t/in", "no"))}),
		opGet("t/", "t0"))})
	s.txn("nested twice", &pb.TxnRequest{Success: ops(opTxn(&pb.TxnRequest{Success: ops(
		opTxn(&pb.TxnRequest{Success: ops(opPut("t/deep", "1"), opGet("t/deep", ""))}), opDel("t/n", ""))}))})
	s.txn("nested without effect", &pb.TxnRequest{Success: ops(opTxn(&pb.TxnRequest{}))})
	s.txn("nested read", &pb.TxnRequest{Success: ops(opTxn(&pb.TxnRequest{Success: ops(opGet("t/b", ""))}))})
	for _, n := range []int{127, 128} {
		t := &pb.TxnRequest{}
		for i := range n {
			t.Success = append(t.Success, opPut(fmt.Sprintf("t/many/%03d", i), "v"))
		}
		s.txn(fmt.Sprintf("%d puts", n), t)
	}
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("t/"), RangeEnd: []byte("t0")})
}

// compares tries each target, operator and relation on a present, a missing and several keys.
func compares(s *scenarios) {
	s.put("seed", &pb.PutRequest{Key: []byte("c/a"), Value: []byte("b")})
	s.put("seed", &pb.PutRequest{Key: []byte("c/b"), Value: []byte("b")})
	s.put("seed", &pb.PutRequest{Key: []byte("c/b"), Value: []byte("c")})
	ask := func(step string, c *pb.Compare) {
		m, err := s.kv.Txn(call(), &pb.TxnRequest{Compare: []*pb.Compare{c}})
		if err != nil {
			s.show(step, nil, err)
			return
		}
		s.note(step, "%v", m.Succeeded)
	}
	unions := func(n int64, value string) []*pb.Compare {
		return []*pb.Compare{
			{Target: pb.Compare_VERSION, TargetUnion: &pb.Compare_Version{Version: n}},
			{Target: pb.Compare_CREATE, TargetUnion: &pb.Compare_CreateRevision{CreateRevision: n}},
			{Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: n}},
			{Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Value{Value: []byte(value)}},
			{Target: pb.Compare_LEASE, TargetUnion: &pb.Compare_Lease{Lease: n}},
			{Target: pb.Compare_VERSION, TargetUnion: &pb.Compare_Value{Value: []byte(value)}},
			{Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Version{Version: n}},
			{Target: 9, TargetUnion: &pb.Compare_Version{Version: n}},
			{Target: pb.Compare_MOD},
			{Target: pb.Compare_VALUE},
		}
	}
	keys := [][2]string{{"c/a", ""}, {"c/none", ""}, {"c/", "c0"}, {"c/x", "c/z"}, {"c/a", "\x00"}, {"c/b", "c/a"}}
	for _, key := range keys {
		for _, result := range []pb.Compare_CompareResult{0, 1, 2, 3, 7, -1} {
			for _, n := range []int64{0, 1, 2, s.base + 1, s.base + 2, -1, math.MaxInt64} {
				value := map[bool]string{true: "b", false: "bb"}[n%2 == 0]
				for i, c := range unions(n, value) {
					c.Key, c.RangeEnd, c.Result = []byte(key[0]), []byte(key[1]), result
					ask(fmt.Sprintf("%q %v %v union %d %d", key, result, c.Target, i, n-s.base), c)
				}
			}
		}
	}
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("c/"), RangeEnd: []byte("c0")})
}

func txnErrors(s *scenarios) {
	many := func(n int) (list []*pb.RequestOp) {
		for i := range n {
			list = append(list, opGet(fmt.Sprintf("%d", i), ""))
		}
		return list
	}
	s.txn("129 success", &pb.TxnRequest{Success: many(129)})
	s.txn("129 failure", &pb.TxnRequest{Failure: many(129)})
	s.txn("129 compares", &pb.TxnRequest{Compare: make129()})
	s.txn("nested over budget", &pb.TxnRequest{Success: append(many(100), opTxn(&pb.TxnRequest{Success: many(28)}))})
	s.txn("nested in budget", &pb.TxnRequest{Success: ops(opTxn(&pb.TxnRequest{Success: many(2)}))})
	s.txn("empty op", &pb.TxnRequest{Success: ops(&pb.RequestOp{})})
	s.txn("empty op in failure", &pb.TxnRequest{Failure: ops(&pb.RequestOp{})})
	s.txn("empty put", &pb.TxnRequest{Success: ops(opPut("", ""))})
	s.txn("empty range", &pb.TxnRequest{Failure: ops(opGet("", ""))})
	s.txn("empty delete", &pb.TxnRequest{Failure: ops(opDel("", ""))})
	s.txn("compare without key", &pb.TxnRequest{Compare: []*pb.Compare{{}}})
	s.txn("two puts", &pb.TxnRequest{Success: ops(opPut("e/a", "1"), opPut("e/a", "2"))})
	s.txn("two puts in failure", &pb.TxnRequest{Failure: ops(opPut("e/a", "1"), opPut("e/a", "2"))})
	s.txn("put in delete range", &pb.TxnRequest{Success: ops(opDel("e/", "e0"), opPut("e/a", "2"))})
	s.txn("put before delete range", &pb.TxnRequest{Success: ops(opPut("e/a", "2"), opDel("e/", "e0"))})
	s.txn("put in delete from key", &pb.TxnRequest{Success: ops(opPut("e/a", "2"), opDel("e/", "\x00"))})
	inner := func(key string) *pb.RequestOp { return opTxn(&pb.TxnRequest{Success: ops(opPut(key, "1"))}) }
	s.txn("nested put twice", &pb.TxnRequest{Success: ops(inner("e/a"), inner("e/a"))})
	s.txn("nested put and put", &pb.TxnRequest{Success: ops(inner("e/a"), opPut("e/a", "2"))})
	s.txn("nested put in delete range", &pb.TxnRequest{Success: ops(inner("e/a"), opDel("e/", "e0"))})
	s.txn("nested sides share a key", &pb.TxnRequest{Success: ops(opTxn(&pb.TxnRequest{
		Success: ops(opPut("e/a", "1")), Failure: ops(opPut("e/a", "2"))}))})
	s.txn("sides share a key", &pb.TxnRequest{Success: ops(opPut("e/a", "1")), Failure: ops(opPut("e/a", "2"))})
	s.txn("missing lease", &pb.TxnRequest{Success: ops(opPut("e/b", "1"), &pb.RequestOp{
		Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("e/c"), Lease: 77}}})})
	s.txn("ignore_value missing", &pb.TxnRequest{Success: ops(opPut("e/b", "1"), &pb.RequestOp{
		Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("e/c"), IgnoreValue: true}}})})
	s.txn("ignore_value of own put", &pb.TxnRequest{Success: ops(opPut("e/own", "1"), opTxn(&pb.TxnRequest{Failure: ops(&pb.RequestOp{
		Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("e/own"), IgnoreValue: true}}})}))})
	s.txn("future read", &pb.TxnRequest{Success: ops(opPut("e/b", "1"), opGetAt("e/b", s.base+100))})
	s.txn("future read alone", &pb.TxnRequest{Success: ops(opGetAt("e/b", s.base+100))})
	s.txn("future read nested", &pb.TxnRequest{Success: ops(opPut("e/b", "1"),
		opTxn(&pb.TxnRequest{Success: ops(opGetAt("e/b", s.base+100))}))})
	s.txn("future read on the other side", &pb.TxnRequest{Success: ops(opPut("e/b", "1")), Failure: ops(opGetAt("e/b", s.base+100))})
	s.txn("bad sort", &pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestRange{
		RequestRange: &pb.RangeRequest{Key: []byte("a"), SortOrder: 8}}})})
	s.get("what is left", &pb.RangeRequest{Key: []byte("e/"), RangeEnd: []byte("e0")})
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("e/"), RangeEnd: []byte("e0")})
}

func make129() (list []*pb.Compare) {
	for range 129 {
		list = append(list, &pb.Compare{Key: []byte("a")})
	}
	return list
}

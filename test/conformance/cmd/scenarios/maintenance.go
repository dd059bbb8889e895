package main

import (
	"context"
	"fmt"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"quorate.dev/conformance/internal/raw"
)

func identity(s *scenarios) {
	for _, linearizable := range []bool{true, false} {
		m, err := s.cluster.MemberList(call(), &pb.MemberListRequest{Linearizable: linearizable})
		s.show("member list", m, err)
	}
	m, err := s.maint.Status(call(), &pb.StatusRequest{})
	s.show("status", m, err)
	for _, service := range []string{"", "etcdserverpb.KV", "nothing"} {
		h, err := s.health.Check(call(), &healthpb.HealthCheckRequest{Service: service})
		s.show("health", h, err)
	}
	hash, err := s.maint.HashKV(call(), &pb.HashKVRequest{})
	s.show("hash of nothing", hash, err)
}

func (s *scenarios) hash(step string, revision int64) {
	m, err := s.maint.HashKV(call(), &pb.HashKVRequest{Revision: revision})
	s.show(step, m, err)
}

func (s *scenarios) compact(step string, revision int64, physical bool) {
	m, err := s.kv.Compact(call(), &pb.CompactionRequest{Revision: revision, Physical: physical})
	s.show(step, m, err)
}

func compactions(s *scenarios) {
	start := s.base
	for i := range 20 {
		_, err := s.kv.Put(call(), &pb.PutRequest{Key: fmt.Appendf(nil, "cp/%d", i%4), Value: fmt.Appendf(nil, "%d", i)})
		must(err)
	}
	s.del("seed", &pb.DeleteRangeRequest{Key: []byte("cp/0")})
	s.hash("hash", 0)
	s.hash("hash in history", start+7)
	s.hash("negative", -1)
	s.hash("future", start+1000)
	s.compact("negative", -1, true)
	s.compact("future", start+1000, true)
	s.compact("largest", math.MaxInt64, true)
	s.compact("first", start+7, true)
	s.compact("same again", start+7, true)
	s.compact("older", start+6, true)
	s.compact("zero", 0, true)
	s.hash("hash after", 0)
	s.hash("hash at compacted", start+7)
	s.hash("hash below compacted", start+6)
	s.hash("hash above compacted", start+9)
	s.get("below", &pb.RangeRequest{Key: []byte("cp/1"), Revision: start + 6})
	s.get("at", &pb.RangeRequest{Key: []byte("cp/"), RangeEnd: []byte("cp0"), Revision: start + 7})
	s.txn("read below", &pb.TxnRequest{Success: ops(opGetAt("cp/1", start+6))})
	s.txn("write and read below", &pb.TxnRequest{Success: ops(opPut("cp/9", "1"), opGetAt("cp/1", start+6))})
	w := s.openWatch()
	defer w.cancel()
	w.create(&pb.WatchCreateRequest{Key: []byte("cp/"), RangeEnd: []byte("cp0"), StartRevision: start + 6})
	w.expect("watch below")
	w.expect("watch below")
	w.create(&pb.WatchCreateRequest{Key: []byte("cp/"), RangeEnd: []byte("cp0"), StartRevision: start + 7})
	w.expect("watch at")
	w.events("watch at", 15)
	w2 := s.openWatch()
	defer w2.cancel()
	w2.create(&pb.WatchCreateRequest{Key: []byte("cp/"), RangeEnd: []byte("cp0"), StartRevision: start + 8, PrevKv: true})
	w2.expect("watch with previous values")
	w2.events("watch with previous values", 14)
	s.compact("at the tombstone", start+21, true)
	s.hash("hash with tombstone", 0)
	s.get("what is left", &pb.RangeRequest{Key: []byte("cp/"), RangeEnd: []byte("cp0")})
	s.compact("not physical", start+21, false)
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("cp/"), RangeEnd: []byte("cp0")})
	s.compact("at the end", start+22, true)
	s.hash("hash at the end", 0)
}

func (s *scenarios) alarm(step string, action pb.AlarmRequest_AlarmAction, member uint64, kind pb.AlarmType) {
	m, err := s.maint.Alarm(call(), &pb.AlarmRequest{Action: action, MemberID: member, Alarm: kind})
	s.show(step, m, err)
}

func alarms(s *scenarios) {
	s.alarm("none yet", pb.AlarmRequest_GET, 0, pb.AlarmType_NONE)
	s.alarm("activate none", pb.AlarmRequest_ACTIVATE, 3, pb.AlarmType_NONE)
	s.alarm("deactivate missing", pb.AlarmRequest_DEACTIVATE, 3, pb.AlarmType_NOSPACE)
	s.alarm("activate", pb.AlarmRequest_ACTIVATE, 3, pb.AlarmType_NOSPACE)
	s.alarm("activate again", pb.AlarmRequest_ACTIVATE, 3, pb.AlarmType_NOSPACE)
	s.alarm("list", pb.AlarmRequest_GET, 0, pb.AlarmType_NONE)
	s.alarm("list other kind", pb.AlarmRequest_GET, 0, pb.AlarmType_CORRUPT)
	s.alarm("list other member", pb.AlarmRequest_GET, 4, pb.AlarmType_NOSPACE)
	status, err := s.maint.Status(call(), &pb.StatusRequest{})
	s.show("status", status, err)
	s.put("no space", &pb.PutRequest{Key: []byte("al/a")})
	s.grant("no space", 0x99, 600)
	s.txn("no space", &pb.TxnRequest{Success: ops(opPut("al/a", "1"))})
	s.txn("no space on the other side", &pb.TxnRequest{Failure: ops(opPut("al/a", "1"))})
	s.txn("delete with no space", &pb.TxnRequest{Success: ops(opDel("al/a", ""))})
	s.txn("nested put with no space", &pb.TxnRequest{Success: ops(opTxn(&pb.TxnRequest{Success: ops(opPut("al/a", "1"))}))})
	s.del("no space", &pb.DeleteRangeRequest{Key: []byte("al/a")})
	s.get("no space", &pb.RangeRequest{Key: []byte("al/a")})
	s.alarm("deactivate", pb.AlarmRequest_DEACTIVATE, 3, pb.AlarmType_NOSPACE)
	s.alarm("corrupt", pb.AlarmRequest_ACTIVATE, 3, pb.AlarmType_CORRUPT)
	s.put("corrupt", &pb.PutRequest{Key: []byte("al/a")})
	s.get("corrupt", &pb.RangeRequest{Key: []byte("al/a")})
	s.txn("corrupt", &pb.TxnRequest{Success: ops(opGet("al/a", ""))})
	s.txn("corrupt delete", &pb.TxnRequest{Success: ops(opDel("al/a", ""))})
	s.compact("corrupt", 1, false)
	s.grant("corrupt", 0x99, 600)
	s.revoke("corrupt", 0x99)
	s.alarm("deactivate corrupt", pb.AlarmRequest_DEACTIVATE, 3, pb.AlarmType_CORRUPT)
	s.put("over", &pb.PutRequest{Key: []byte("al/a")})
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("al/a")})
}

func maintenance(s *scenarios) {
	s.put("seed", &pb.PutRequest{Key: []byte("m/a"), Value: []byte("1")})
	s.hash("before", 0)
	d, err := s.maint.Defragment(call(), &pb.DefragmentRequest{})
	s.show("defragment", d, err)
	s.hash("after", 0)
	s.get("after", &pb.RangeRequest{Key: []byte("m/a")})
	m, err := s.maint.Status(call(), &pb.StatusRequest{})
	s.show("status", m, err)
	s.del("clean up", &pb.DeleteRangeRequest{Key: []byte("m/a")})
}

func unknownMethods(s *scenarios) {
	client, err := raw.Dial(s.endpoint)
	must(err)
	must(client.Ready())
	for _, method := range []string{"/etcdserverpb.KV/Nothing", "/etcdserverpb.Nothing/Range", "/nothing", "/a/b/c",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "//", "/etcdserverpb.KV/"} {
		a := client.Unary(method, nil)
		s.note(method, "%v %s", a.Code, a.Text)
	}
}

// malformed sends bytes that are no message of the method.
func malformed(s *scenarios) {
	client, err := raw.Dial(s.endpoint)
	must(err)
	must(client.Ready())
	bodies := []string{"\x0a", "\x0a\x05ab", "\xff", "\x0f", "\x00", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x0b",
		"\x0c", "\x0b\x0c", "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x0d\x01\x02\x03\x04"}
	for _, method := range []string{pb.KV_Range_FullMethodName, pb.KV_Put_FullMethodName, pb.KV_Txn_FullMethodName,
		pb.Lease_LeaseGrant_FullMethodName, pb.Maintenance_Status_FullMethodName} {
		for _, body := range bodies {
			a := client.Unary(method, []byte(body))
			s.note(method, "%x: %v %s", body, a.Code, a.Text)
		}
	}
	// A string field with bytes that are not UTF-8: the health check's service name.
	a := client.Unary(healthpb.Health_Check_FullMethodName, []byte("\x0a\x02\xff\xfe"))
	s.note("string field", "%v %s", a.Code, a.Text)
	a = client.ServerStream(pb.KV_RangeStream_FullMethodName, []byte("\x0a\x05a"))
	s.note("stream", "%v %s", a.Code, a.Text)
}

// clientTour is what a program on clientv3 does every day.
func clientTour(s *scenarios) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	c := s.client
	_, err := c.Put(ctx, "tour/a", "1")
	must(err)
	get, err := c.Get(ctx, "tour/", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
	must(err)
	s.note("get", "%d keys, %s", get.Count, get.Kvs[0].Value)
	watch := c.Watch(ctx, "tour/", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(s.base+1))
	session, err := c.Grant(ctx, 5)
	must(err)
	alive, err := c.KeepAlive(ctx, session.ID)
	must(err)
	s.note("keep alive", "ttl %d", (<-alive).TTL)
	txn, err := c.Txn(ctx).If(clientv3.Compare(clientv3.Value("tour/a"), "=", "1")).
		Then(clientv3.OpPut("tour/b", "2", clientv3.WithLease(session.ID)), clientv3.OpGet("tour/a")).
		Else(clientv3.OpDelete("tour/a")).Commit()
	must(err)
	s.note("txn", "%v %d answers", txn.Succeeded, len(txn.Responses))
	_, err = c.Revoke(ctx, session.ID)
	must(err)
	for seen := 0; seen < 3; {
		select {
		case answer := <-watch:
			for _, event := range answer.Events {
				s.note("event", "%v %s", event.Type, event.Kv.Key)
			}
			seen += len(answer.Events)
		case <-time.After(callTimeout):
			s.note("event", "not in time")
			return
		}
	}
	_, err = c.Put(ctx, "", "x")
	s.note("typed error", "%T %v", err, err)
	_, err = c.Get(ctx, "a", clientv3.WithRev(math.MaxInt64))
	s.note("typed error", "%T %v", err, err)
	_, err = c.Delete(ctx, "tour/", clientv3.WithPrefix())
	must(err)
}

// Command scenarios runs a fixed list of calls against one etcd server and prints every answer as one
// line: scenario, step, answer as JSON or error code and text. The lines of two servers are compared as
// text; what two right servers may answer differently is blanked before printing.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	callTimeout     = 10 * time.Second
	maxMessageBytes = 64 << 20
	shownBytes      = 3000
)

type scenarios struct {
	endpoint string
	name     string
	base     int64 // revision at the start of the scenario
	conn     *grpc.ClientConn
	kv       pb.KVClient
	lease    pb.LeaseClient
	watch    pb.WatchClient
	cluster  pb.ClusterClient
	maint    pb.MaintenanceClient
	health   healthpb.HealthClient
	client   *clientv3.Client
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// call is the context of one call; its timer ends by itself.
func call() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	time.AfterFunc(callTimeout, cancel)
	return ctx
}

func oneLine(text string) string {
	if len(text) > shownBytes {
		return fmt.Sprintf("%s… (%d characters)", text[:shownBytes], len(text))
	}
	return text
}

func toJSON(m proto.Message) string {
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	must(err)
	var out bytes.Buffer // protojson varies its blanks on purpose
	must(json.Compact(&out, body))
	return oneLine(out.String())
}

func errorText(err error) string {
	s := status.Convert(err)
	return fmt.Sprintf("%v: %s", s.Code(), strings.ReplaceAll(s.Message(), "\u00a0", " "))
}

// show prints one answer.
func (s *scenarios) show(step string, m proto.Message, err error) {
	if err != nil {
		fmt.Printf("%s %s ERROR %s\n", s.name, step, errorText(err))
		return
	}
	blank(m)
	fmt.Printf("%s %s %s\n", s.name, step, toJSON(m))
}

// note prints a line of the scenario's own.
func (s *scenarios) note(step, format string, args ...any) {
	fmt.Printf("%s %s %s\n", s.name, step, oneLine(fmt.Sprintf(format, args...)))
}

// blank removes the raft term, sizes, positions and seconds left from an answer.
func blank(m proto.Message) {
	if h, ok := m.(interface{ GetHeader() *pb.ResponseHeader }); ok && h.GetHeader() != nil {
		h.GetHeader().RaftTerm = min(1, h.GetHeader().RaftTerm)
	}
	switch m := m.(type) {
	case *pb.StatusResponse:
		m.DbSize, m.DbSizeInUse = min(1, m.DbSize), min(1, m.DbSizeInUse)
		m.RaftIndex, m.RaftAppliedIndex, m.RaftTerm = min(1, m.RaftIndex), min(1, m.RaftAppliedIndex), min(1, m.RaftTerm)
		for i, text := range m.Errors {
			m.Errors[i] = strings.Join(strings.Fields(text), " ")
		}
	case *pb.LeaseTimeToLiveResponse:
		if m.TTL > 0 {
			m.TTL = 1
		}
	}
}

func (s *scenarios) run(name string, scenario func(*scenarios)) {
	s.name = name
	answer, err := s.kv.Range(call(), &pb.RangeRequest{Key: []byte("none")})
	must(err)
	s.base = answer.Header.Revision
	scenario(s)
}

func main() {
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "host:port of the server")
	flag.Parse()
	conn, err := grpc.NewClient("passthrough:///"+*endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes)))
	must(err)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: callTimeout})
	must(err)
	s := &scenarios{endpoint: *endpoint, conn: conn, kv: pb.NewKVClient(conn), lease: pb.NewLeaseClient(conn),
		watch: pb.NewWatchClient(conn), cluster: pb.NewClusterClient(conn), maint: pb.NewMaintenanceClient(conn),
		health: healthpb.NewHealthClient(conn), client: client}
	s.run("identity", identity)
	s.run("put", puts)
	s.run("delete", deletes)
	s.run("range", ranges)
	s.run("range-errors", rangeErrors)
	s.run("range-stream", rangeStreams)
	s.run("txn", txns)
	s.run("compare", compares)
	s.run("txn-errors", txnErrors)
	s.run("lease", leases)
	s.run("lease-expiry", leaseExpiry)
	s.run("watch", watches)
	s.run("watch-errors", watchErrors)
	s.run("watch-progress", watchProgress)
	s.run("watch-fragment", watchFragment)
	s.run("compaction", compactions)
	s.run("alarm", alarms)
	s.run("maintenance", maintenance)
	s.run("unknown", unknownMethods)
	s.run("malformed", malformed)
	s.run("clientv3", clientTour)
}

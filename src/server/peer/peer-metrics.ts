/** etcd's metrics of the traffic between members. Labels are member ids in hex. */
import { doubling, type MetricRegistry } from "../../base/metrics.ts";

const snapshotSeconds = doubling(0.1, 10);

export type PeerMetrics = ReturnType<typeof createPeerMetrics>;

/** One per registry: names are unique. */
export function createPeerMetrics(r: MetricRegistry) {
  const name = (rest: string): string => `etcd_network_${rest}`;
  return {
    activePeers: r.gauges(name("active_peers"), "Peers that are reachable.", ["Local", "Remote"]),
    knownPeers: r.gauges(name("known_peers"), "Peers that are known.", ["Local", "Remote"]),
    disconnectedPeers: r.counters(name("disconnected_peers_total"), "Times a peer was lost.", [
      ...["Local", "Remote"],
    ]),
    sentBytes: r.counters(name("peer_sent_bytes_total"), "Bytes sent to peers.", ["To"]),
    receivedBytes: r.counters(name("peer_received_bytes_total"), "Bytes from peers.", ["From"]),
    sentFailures: r.counters(name("peer_sent_failures_total"), "Messages not sent.", ["To"]),
    receivedFailures: r.counters(name("peer_received_failures_total"), "Messages refused.", [
      "From",
    ]),
    roundTripSeconds: r.histograms(
      name("peer_round_trip_time_seconds"),
      "Round trips of probes.",
      doubling(0.0001, 16),
      ["To"],
    ),
    snapshotsSent: r.counters(name("snapshot_send_success"), "Snapshots sent.", ["To"]),
    snapshotsSending: r.gauges(name("snapshot_send_inflights_total"), "Snapshots being sent.", [
      "To",
    ]),
    snapshotSendFailures: r.counters(name("snapshot_send_failures"), "Snapshots not sent.", ["To"]),
    snapshotSendSeconds: r.histograms(
      name("snapshot_send_total_duration_seconds"),
      "Sending a snapshot.",
      snapshotSeconds,
      ["To"],
    ),
    snapshotsReceived: r.counters(name("snapshot_receive_success"), "Snapshots received.", [
      "From",
    ]),
    snapshotsReceiving: r.gauges(
      name("snapshot_receive_inflights_total"),
      "Snapshots being received.",
      ["From"],
    ),
    snapshotReceiveFailures: r.counters(
      name("snapshot_receive_failures"),
      "Snapshots not received.",
      ["From"],
    ),
    snapshotReceiveSeconds: r.histograms(
      name("snapshot_receive_total_duration_seconds"),
      "Receiving a snapshot.",
      snapshotSeconds,
      ["From"],
    ),
    heartbeatFailures: r.counter(
      "etcd_server_heartbeat_send_failures_total",
      "Heartbeats that left late, as the leader was overloaded.",
    ),
  };
}

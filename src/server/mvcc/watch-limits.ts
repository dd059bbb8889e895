/** Bounds of the watch side. */
export const watchLimits = {
  /** Events kept back until the turn's end before they are dispatched early. */
  backlogEventsMax: 1000,
  /** Watchers that catch up in one round, as etcd's. */
  roundWatchersMax: 512,
  /** Watchers that move together at most; a round takes whole cohorts. */
  cohortWatchersMax: 512,
  /** Revisions one round covers, as etcd's. */
  roundRevisionsMax: 1000,
  /** One read of history. */
  roundEventsMax: 1000,
  roundBytesMax: 4 << 20,
  /** Events times watchers of one round: it ends at the next revision. Keeps a round near 1 ms. */
  roundDeliveriesMax: 8192,
  /** A catch-up response stops growing at the next revision, bytes. */
  responseBytesTarget: 1 << 20,
  /** One client stream; etcd has no bound here. */
  watchersPerStreamMax: 1 << 18,
} as const;

/** Time for a request, of clients or between members, in ms: 5 s and two elections, as in etcd. */
export function requestTimeout(electionTimeoutMs: number): number {
  return 5000 + 2 * electionTimeoutMs;
}
